"""The steps of a buyer through the deployed stack, from the registration to the end, with failures in between."""

import datetime
import email.utils
import json
import urllib.parse
import uuid

import logs
from local_aws import REGION
from marketplace import event_of, now, text_of
from rehearsal import MAIL_FROM, until

AWS = "https://aws.amazon.com"
BUYER = "kim@example.com"


def pause_schedules(rehearsal):
    states = {name: rehearsal.pause(name) for name in ("MeteringSchedule", "ReconcileSchedule", "ReadinessSchedule")}
    rehearsal.check("the schedules are on", {state for state, _ in states.values()} == {"ENABLED"}, states)


def register(rehearsal, purchase):
    """The buyer comes from AWS Marketplace; answers the token, and the code that the application redeems."""
    browser = rehearsal.browser()
    forged = browser.post("/register", AWS, **{"x-amzn-marketplace-token": "forged"})
    rehearsal.check("a forged token is turned away", forged.status == 400, forged)

    token = rehearsal.marketplace.token(purchase)
    arrived = browser.post("/register", AWS, **{"x-amzn-marketplace-token": token})
    location = arrived.headers.get("location", "")
    rehearsal.check("a buyer's token opens a visit", arrived.status == 303 and browser.cookie, arrived)
    shown = token in location or token in urllib.parse.unquote(location)
    rehearsal.check("and goes no further", location.startswith("/register") and not shown, location)
    page = browser.get("/register")
    rehearsal.check(
        "the buyer gets the page", page.status == 200 and "Demo Contract with Consumption" in page.text, page
    )

    form = {"form_token": browser.field(page, "form_token"), "email": BUYER, "name": "Kim", "account": "new"}
    cross_site = browser.post("/register/details", "https://elsewhere.example.com", **form)
    rehearsal.check("another site's form is refused", cross_site.status == 403, cross_site)
    sent = browser.post("/register/details", **form)
    location = urllib.parse.urlsplit(sent.headers.get("location", ""))
    goes_on = sent.status == 303 and location.netloc + location.path == "app.example.com/sign-up"
    rehearsal.check("the buyer's own goes on to the application", goes_on, sent)
    return token, urllib.parse.parse_qs(location.query).get("code", [""])[0]


def only_signed_calls(rehearsal):
    unsigned = rehearsal.application.send("GET", "/v1/licenses")
    rehearsal.check("an unsigned call is refused", unsigned.status == 403, unsigned)
    refused = rehearsal.signing("stranger").call("GET", "/v1/licenses")
    rehearsal.check("and one of a user without the policy", refused.status == 403, refused)
    forger = rehearsal.signing("forger", rehearsal.policy)
    forger.credentials.secret_key = "another"
    refused = forger.call("GET", "/v1/licenses")
    rehearsal.check("and one with a wrong signature", refused.status == 403, refused)


def state_of(rehearsal, purchase):
    return rehearsal.application.call("GET", f"/v1/licenses/{purchase['license']}").document().get("state")


def activate(rehearsal, purchase):
    rehearsal.check(
        "before the events the license is pending",
        state_of(rehearsal, purchase) == "pending",
        state_of(rehearsal, purchase),
    )
    rehearsal.announce(event_of("agreement-created", purchase, purchase["at"]))
    rehearsal.announce(event_of("license-updated", purchase, purchase["at"]))
    is_active = until(lambda: state_of(rehearsal, purchase) == "active")
    rehearsal.check("the events make it active", is_active, state_of(rehearsal, purchase))


def redeem(rehearsal, purchase, code):
    key = {"idempotency-key": str(uuid.uuid4())}
    handoff = rehearsal.application.call("POST", "/v1/handoffs", {"code": code}, **key)
    shown = handoff.document()
    is_theirs = shown.get("license") == purchase["license"] and shown.get("contact", {}).get("email") == BUYER
    rehearsal.check("the application redeems the code", handoff.status == 200 and is_theirs, handoff)
    linked = rehearsal.application.call("PUT", f"/v1/licenses/{purchase['license']}/tenant", {"tenant": "acme"})
    rehearsal.check("and links the license to its tenant", linked.status == 200, linked)
    again = rehearsal.application.call("POST", "/v1/handoffs", {"code": code}, **key)
    rehearsal.check("the code is valid once", again.status == 410, again)


def is_allowed(rehearsal, quantity):
    target = f"/v1/tenants/acme/entitlements?dimension=events_included&quantity={quantity}"
    return rehearsal.application.call("GET", target).document().get("allowed")


def decide(rehearsal):
    rehearsal.check("the tenant may use what it has bought", until(lambda: is_allowed(rehearsal, 100)))
    rehearsal.check("and no more", is_allowed(rehearsal, 101) is False)


def report_usage(rehearsal, purchase, hour):
    """More than the 100 events that the contract includes, and reported twice. Of the running hour, which is written in
    another way, nothing: it is not over before the rehearsal is."""
    time = text_of(hour + datetime.timedelta(minutes=15))
    event = {"license": purchase["license"], "dimension": "events_extra", "time": time}
    events = [event | {"key": "1", "quantity": "70.5"}, event | {"key": "2", "quantity": "60"}]
    running = event | {"key": "3", "quantity": "0", "time": text_of(now())}

    def statuses(answer):
        return [result["status"] for result in answer.document().get("results", [])]

    taken = rehearsal.application.call("POST", "/v1/usage", {"events": [*events, running]})
    rehearsal.check("usage is accepted", statuses(taken) == ["accepted"] * 3, taken)
    again = rehearsal.application.call("POST", "/v1/usage", {"events": events})
    rehearsal.check("and a duplicate when it is sent again", statuses(again) == ["duplicate"] * 2, again)


def is_billed(rehearsal, purchase, hour):
    """Whether the bill is what exceeds the contract, and nothing else."""
    billed = [(it["license"], it["dimension"], it["hour"], it["quantity"]) for it in rehearsal.marketplace.bill()]
    return billed == [(purchase["license"], "events_extra", text_of(hour), "30.5")]


def bill(rehearsal, purchase, hour):
    rehearsal.run("MeteringSchedule")
    billed = until(lambda: is_billed(rehearsal, purchase, hour))
    rehearsal.check("the reporter bills what exceeds the contract", billed, rehearsal.marketplace.bill())

    def records():
        answer = rehearsal.application.call("GET", f"/v1/licenses/{purchase['license']}/usage").document()
        return [(it["quantity"], it["state"]["name"]) for it in answer["records"] if it["quantity"] != "0"]

    rehearsal.check("its record is accepted", until(lambda: records() == [("30.5", "accepted")]), records())
    problems = rehearsal.application.call("GET", "/v1/usage/problems").document()
    rehearsal.check("there are no problems", problems.get("problems") == [], problems)


def published(rehearsal, purchase):
    wanted = ["registration.completed", "license.activated", "license.entitlements_changed", "license.linked"]
    missing = rehearsal.events_received.missing_types(*wanted)
    rehearsal.check(f"the application received: {', '.join(wanted)}", not missing, missing)
    others = [event for event in rehearsal.events_received.events if event["license"] != purchase["license"]]
    rehearsal.check(
        "of this license, and no address",
        not others and BUYER not in json.dumps(rehearsal.events_received.events),
        others,
    )


def mailed(rehearsal):
    mails = until(rehearsal.mails)
    sent = [(email.utils.parseaddr(mail["Source"])[1], mail["To"]) for mail in mails]
    rehearsal.check("the buyer has a mail", sent == [(MAIL_FROM, [BUYER])], mails)


def audited(rehearsal):
    """ministack's pipes do not reach a log group: what would is held to the pipe's filter."""
    items = rehearsal.table.scan(
        TableName=rehearsal.outputs["TableName"],
        FilterExpression="begins_with(pk, :audit)",
        ExpressionAttributeValues={":audit": {"S": "AUDIT#"}},
    )["Items"]
    rehearsal.check("the audit log has who linked the license", len(items) == 1, items)
    envelope = {"id": "1", "source": "aws.dynamodb", "detail-type": "any", "account": "0" * 12, "region": REGION}
    record = envelope | {"time": "2026-11-10T09:20:00Z", "resources": [], "eventName": "INSERT"}
    record |= {"dynamodb": {"NewImage": items[0]}}
    (pattern,) = rehearsal.filters_of("AuditPipe")
    matches = rehearsal.events.test_event_pattern(EventPattern=pattern, Event=json.dumps(record))["Result"]
    rehearsal.check("and the filter of its pipe lets it through", matches, pattern)


def redrive(rehearsal, purchase):
    """AWS does not answer for longer than the queue tries, and an unreadable message is in the queue as well."""
    queue, letters = rehearsal.outputs["MarketplaceEventsQueueUrl"], rehearsal.outputs["MarketplaceEventsDeadLettersUrl"]
    # The ten receives of the deployed queue are 90 seconds apart.
    rehearsal.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1"})
    rehearsal.marketplace.fail("entitlement", "GetEntitlements", "access_denied")
    rehearsal.marketplace.change(purchase, "amend", dimensions={"events_included": 200})
    rehearsal.announce(event_of("license-updated", purchase))
    rehearsal.sqs.send_message(QueueUrl=queue, MessageBody="not an event")
    are_dead = until(lambda: rehearsal.waiting(letters) == 2)
    rehearsal.check("a message that cannot be processed becomes a dead letter", are_dead, rehearsal.waiting(letters))
    rehearsal.check("meanwhile the last answer counts", is_allowed(rehearsal, 100) and not is_allowed(rehearsal, 200))

    rehearsal.marketplace.clear_faults()
    # By hand, since ministack knows no StartMessageMoveTask.
    for letter in rehearsal.take(letters):
        rehearsal.sqs.send_message(QueueUrl=queue, MessageBody=letter)
    rehearsal.check("after the redrive the event is processed", until(lambda: is_allowed(rehearsal, 200)))
    until(lambda: rehearsal.waiting(letters) == 1)
    dead = rehearsal.take(letters)
    rehearsal.check("and the unreadable message is a dead letter again", dead == ["not an event"], dead)


def end(rehearsal, purchase):
    rehearsal.marketplace.change(purchase, "end")
    rehearsal.announce(event_of("agreement-ended", purchase))
    missing = rehearsal.events_received.missing_types("license.ending")
    rehearsal.check("the application receives the end", not missing, missing)
    rehearsal.check("until AWS takes it away, access stays", is_allowed(rehearsal, 100))
    rehearsal.announce(event_of("license-deprovisioned", purchase))
    rehearsal.check("then access ends", until(lambda: is_allowed(rehearsal, 100) is False))


def reconcile(rehearsal, second_purchase):
    """The second buyer, of whom no event arrived."""
    rehearsal.check(
        "a buyer whose events are lost is not known",
        state_of(rehearsal, second_purchase) is None,
        state_of(rehearsal, second_purchase),
    )
    rehearsal.run("ReconcileSchedule")
    is_active = until(lambda: state_of(rehearsal, second_purchase) == "active")
    rehearsal.check("until the reconciliation queries AWS", is_active, state_of(rehearsal, second_purchase))


def check_readiness(rehearsal, purchase):
    """The auditor runs on its schedule, and checks everything that its role allows. The pages are not on https here."""
    query = f"/v1/readiness?product={purchase['product_code']}"

    def report():
        return rehearsal.application.call("GET", query).document()

    rehearsal.check("before the first audit run there is no report", report().get("code") == "no_report_yet", report())
    rehearsal.run("ReadinessSchedule")
    found = {it["check"]: it for it in until(lambda: report().get("checks")) or []}
    refused = [it["message"] for it in found.values() if it["message"]["id"] == "unobserved.forbidden"]
    rehearsal.check("the auditor runs, and AWS refuses it nothing", found and not refused, refused or report())
    # This AWS makes tables without the point-in-time recovery that a template asks for.
    wanted = dict.fromkeys(["eventbridge_rule", "queues_drained", "alarms", "audit_log"], "pass") | {"backups": "fail"}
    outcomes = {name: found.get(f"wiring.{name}", {}).get("outcome") for name in wanted}
    rehearsal.check("it checks the stack's wiring", outcomes == wanted, [found.get(f"wiring.{name}") for name in wanted])
    paused = found.get("wiring.schedules", {}).get("message", {})
    rehearsal.check("and that its schedules are off", paused.get("id") == "wiring-schedules.disabled", paused)
    at_aws = found.get("listing.product_code", {}).get("outcome")
    rehearsal.check("and the product at AWS Marketplace", at_aws == "pass", found.get("listing.product_code"))
    done = ["token_resolved", "license_activated", "usage_accepted", "bad_token_refused", "buyer_notified"]
    lacking = [kind for kind in done if found.get(f"evidence.{kind}", {}).get("outcome") != "pass"]
    rehearsal.check("and what the functions did", not lacking, lacking)
    asked = rehearsal.application.call("POST", "/v1/readiness/runs", {"product": purchase["product_code"]})
    rehearsal.check("it runs on request", asked.status == 201, asked)


def bill_again(rehearsal, purchase, hour):
    def runs():
        return sum('"RunsFailed":0' in line for line in logs.of(rehearsal, "MeteringLog"))

    before = runs()
    rehearsal.run("MeteringSchedule")
    rehearsal.check("the reporter runs again", until(lambda: runs() > before), runs())
    rehearsal.check(
        "and what was used is billed once", is_billed(rehearsal, purchase, hour), rehearsal.marketplace.bill()
    )


def check_logs(rehearsal, secrets):
    written = {name: "\n".join(lines) for name, lines in logs.of_functions(rehearsal).items()}
    empty = [name for name, text in written.items() if not text]
    rehearsal.check("every function has a log", not empty, empty)
    secrets = [form for secret in secrets for form in (secret, urllib.parse.quote(secret, safe=""))]
    telling = [name for name, text in written.items() if any(secret in text for secret in secrets)]
    rehearsal.check("none has an address, a token or a code", not telling, telling)
    errors = [line for text in written.values() for line in text.splitlines() if '"level":"ERROR"' in line]
    rehearsal.check("and none an error", not errors, errors)
