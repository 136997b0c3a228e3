"""A buyer's way through the deployed stack, from the click to the end, and what goes wrong on the way."""

import datetime
import email.utils
import json
import urllib.parse
import uuid

import logs
from local_aws import REGION
from marketplace import news, now, text_of
from world import MAIL_FROM, until

AWS = "https://aws.amazon.com"
BUYER = "kim@example.com"


def pause_schedules(world):
    states = {name: world.pause(name) for name in ("MeteringSchedule", "ReconcileSchedule", "ReadinessSchedule")}
    world.check("the schedules are on", {state for state, _ in states.values()} == {"ENABLED"}, states)


def register(world, purchase):
    """The buyer comes from AWS Marketplace; answers the token, and the code that the application redeems."""
    browser = world.browser()
    forged = browser.post("/register", AWS, **{"x-amzn-marketplace-token": "forged"})
    world.check("a forged token is turned away", forged.status == 400, forged)

    token = world.marketplace.token(purchase)
    arrived = browser.post("/register", AWS, **{"x-amzn-marketplace-token": token})
    location = arrived.headers.get("location", "")
    world.check("a buyer's token opens a visit", arrived.status == 303 and browser.cookie, arrived)
    shown = token in location or token in urllib.parse.unquote(location)
    world.check("and goes no further", location.startswith("/register") and not shown, location)
    page = browser.get("/register")
    world.check("the buyer gets the page", page.status == 200 and "Demo Contract with Consumption" in page.text, page)

    form = {"form_token": browser.field(page, "form_token"), "email": BUYER, "name": "Kim", "account": "new"}
    elsewhere = browser.post("/register/details", "https://elsewhere.example.com", **form)
    world.check("another site's form is refused", elsewhere.status == 403, elsewhere)
    sent = browser.post("/register/details", **form)
    location = urllib.parse.urlsplit(sent.headers.get("location", ""))
    goes_on = sent.status == 303 and location.netloc + location.path == "app.example.com/sign-up"
    world.check("the buyer's own goes on to the application", goes_on, sent)
    return token, urllib.parse.parse_qs(location.query).get("code", [""])[0]


def only_signed_calls(world):
    unsigned = world.application.send("GET", "/v1/licenses")
    world.check("an unsigned call is refused", unsigned.status == 403, unsigned)
    refused = world.signing("stranger").call("GET", "/v1/licenses")
    world.check("and one of somebody who may not call", refused.status == 403, refused)
    forger = world.signing("forger", world.policy)
    forger.credentials.secret_key = "another"
    refused = forger.call("GET", "/v1/licenses")
    world.check("and one that is signed wrongly", refused.status == 403, refused)


def state_of(world, purchase):
    return world.application.call("GET", f"/v1/licenses/{purchase['license']}").document().get("state")


def activate(world, purchase):
    world.check("before the news the license waits", state_of(world, purchase) == "pending", state_of(world, purchase))
    world.announce(news("agreement-created", purchase, purchase["at"]))
    world.announce(news("license-updated", purchase, purchase["at"]))
    is_active = until(lambda: state_of(world, purchase) == "active")
    world.check("the news makes it active", is_active, state_of(world, purchase))


def redeem(world, purchase, code):
    key = {"idempotency-key": str(uuid.uuid4())}
    handoff = world.application.call("POST", "/v1/handoffs", {"code": code}, **key)
    shown = handoff.document()
    is_theirs = shown.get("license") == purchase["license"] and shown.get("contact", {}).get("email") == BUYER
    world.check("the application redeems the code", handoff.status == 200 and is_theirs, handoff)
    linked = world.application.call("PUT", f"/v1/licenses/{purchase['license']}/tenant", {"tenant": "acme"})
    world.check("and links the license to its tenant", linked.status == 200, linked)
    again = world.application.call("POST", "/v1/handoffs", {"code": code}, **key)
    world.check("the code is good once", again.status == 410, again)


def is_allowed(world, quantity):
    target = f"/v1/tenants/acme/entitlements?dimension=events_included&quantity={quantity}"
    return world.application.call("GET", target).document().get("allowed")


def ask(world):
    world.check("the tenant may use what it has bought", until(lambda: is_allowed(world, 100)))
    world.check("and no more", is_allowed(world, 101) is False)


def use(world, purchase, hour):
    """More than the 100 events that the contract includes, and reported twice. Of the running hour, which is written in
    another way, nothing: it is not over before the rehearsal is."""
    time = text_of(hour + datetime.timedelta(minutes=15))
    event = {"license": purchase["license"], "dimension": "events_extra", "time": time}
    events = [event | {"key": "1", "quantity": "70.5"}, event | {"key": "2", "quantity": "60"}]
    running = event | {"key": "3", "quantity": "0", "time": text_of(now())}

    def statuses(answer):
        return [result["status"] for result in answer.document().get("results", [])]

    taken = world.application.call("POST", "/v1/usage", {"events": [*events, running]})
    world.check("usage is taken in", statuses(taken) == ["accepted"] * 3, taken)
    again = world.application.call("POST", "/v1/usage", {"events": events})
    world.check("and known when it comes again", statuses(again) == ["duplicate"] * 2, again)


def is_billed(world, purchase, hour):
    """Whether the bill is what exceeds the contract, and nothing else."""
    billed = [(it["license"], it["dimension"], it["hour"], it["quantity"]) for it in world.marketplace.bill()]
    return billed == [(purchase["license"], "events_extra", text_of(hour), "30.5")]


def bill(world, purchase, hour):
    world.run("MeteringSchedule")
    billed = until(lambda: is_billed(world, purchase, hour))
    world.check("the reporter bills what exceeds the contract", billed, world.marketplace.bill())

    def records():
        answer = world.application.call("GET", f"/v1/licenses/{purchase['license']}/usage").document()
        return [(it["quantity"], it["state"]["name"]) for it in answer["records"] if it["quantity"] != "0"]

    world.check("its record is accepted", until(lambda: records() == [("30.5", "accepted")]), records())
    problems = world.application.call("GET", "/v1/usage/problems").document()
    world.check("nobody has to look at anything", problems.get("problems") == [], problems)


def told(world, purchase):
    wanted = ["registration.completed", "license.activated", "license.entitlements_changed", "license.linked"]
    missing = world.told.lacks(*wanted)
    world.check(f"the application was told: {', '.join(wanted)}", not missing, missing)
    others = [event for event in world.told.events if event["license"] != purchase["license"]]
    world.check("of this license, and no address", not others and BUYER not in json.dumps(world.told.events), others)


def mailed(world):
    mails = until(world.mails)
    sent = [(email.utils.parseaddr(mail["Source"])[1], mail["To"]) for mail in mails]
    world.check("the buyer has a mail", sent == [(MAIL_FROM, [BUYER])], mails)


def audited(world):
    """ministack's pipes do not reach a log group: what would is held to the pipe's filter."""
    items = world.table.scan(
        TableName=world.outputs["TableName"],
        FilterExpression="begins_with(pk, :audit)",
        ExpressionAttributeValues={":audit": {"S": "AUDIT#"}},
    )["Items"]
    world.check("the audit log has who linked the license", len(items) == 1, items)
    envelope = {"id": "1", "source": "aws.dynamodb", "detail-type": "any", "account": "0" * 12, "region": REGION}
    record = envelope | {"time": "2026-11-10T09:20:00Z", "resources": [], "eventName": "INSERT"}
    record |= {"dynamodb": {"NewImage": items[0]}}
    (pattern,) = world.filters_of("AuditPipe")
    matches = world.events.test_event_pattern(EventPattern=pattern, Event=json.dumps(record))["Result"]
    world.check("and the filter of its pipe lets it through", matches, pattern)


def redrive(world, purchase):
    """AWS does not answer for longer than the queue tries, and something that nobody can read lies there as well."""
    queue, letters = world.outputs["NewsQueueUrl"], world.outputs["NewsDeadLettersUrl"]
    # The ten receives of the deployed queue are 90 seconds apart.
    world.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1"})
    world.marketplace.fail("entitlement", "GetEntitlements", "access_denied")
    world.marketplace.change(purchase, "amend", dimensions={"events_included": 200})
    world.announce(news("license-updated", purchase))
    world.sqs.send_message(QueueUrl=queue, MessageBody="not news")
    are_dead = until(lambda: world.waiting(letters) == 2)
    world.check("what cannot be taken in becomes a dead letter", are_dead, world.waiting(letters))
    world.check("meanwhile the last answer counts", is_allowed(world, 100) and not is_allowed(world, 200))

    world.marketplace.mend()
    # By hand, since ministack knows no StartMessageMoveTask.
    for letter in world.take(letters):
        world.sqs.send_message(QueueUrl=queue, MessageBody=letter)
    world.check("redriven, the news is taken in", until(lambda: is_allowed(world, 200)))
    until(lambda: world.waiting(letters) == 1)
    dead = world.take(letters)
    world.check("and what nobody can read is back", dead == ["not news"], dead)


def end(world, purchase):
    world.marketplace.change(purchase, "end")
    world.announce(news("agreement-ended", purchase))
    missing = world.told.lacks("license.ending")
    world.check("the application is told of the end", not missing, missing)
    world.check("until AWS takes it away, access stays", is_allowed(world, 100))
    world.announce(news("license-deprovisioned", purchase))
    world.check("then access ends", until(lambda: is_allowed(world, 100) is False))


def reconcile(world, silent):
    """The second buyer, of whom no news was heard."""
    world.check("a buyer whose news is lost is not known", state_of(world, silent) is None, state_of(world, silent))
    world.run("ReconcileSchedule")
    is_active = until(lambda: state_of(world, silent) == "active")
    world.check("until the reconciliation asks AWS", is_active, state_of(world, silent))


def audit_readiness(world, purchase):
    """The auditor runs on its schedule, and checks everything that its role allows. The pages are not on https here."""
    query = f"/v1/readiness?product={purchase['product_code']}"

    def report():
        return world.application.call("GET", query).document()

    world.check("before the first audit run there is no report", report().get("code") == "no_report_yet", report())
    world.run("ReadinessSchedule")
    found = {it["check"]: it for it in until(lambda: report().get("checks")) or []}
    refused = [it["message"] for it in found.values() if it["message"]["id"] == "unobserved.forbidden"]
    world.check("the auditor runs, and AWS refuses it nothing", found and not refused, refused or report())
    # This AWS makes tables without the point-in-time recovery that a template asks for.
    wanted = dict.fromkeys(["eventbridge_rule", "queues_drained", "alarms", "audit_log"], "pass") | {"backups": "fail"}
    outcomes = {name: found.get(f"wiring.{name}", {}).get("outcome") for name in wanted}
    world.check("it checks the stack's wiring", outcomes == wanted, [found.get(f"wiring.{name}") for name in wanted])
    paused = found.get("wiring.schedules", {}).get("message", {})
    world.check("and that its schedules are off", paused.get("id") == "wiring-schedules.disabled", paused)
    at_aws = found.get("listing.product_code", {}).get("outcome")
    world.check("and the product at AWS Marketplace", at_aws == "pass", found.get("listing.product_code"))
    done = ["token_resolved", "license_activated", "usage_accepted", "bad_token_refused", "buyer_notified"]
    lacking = [kind for kind in done if found.get(f"evidence.{kind}", {}).get("outcome") != "pass"]
    world.check("and what the functions did", not lacking, lacking)
    asked = world.application.call("POST", "/v1/readiness/runs", {"product": purchase["product_code"]})
    world.check("it runs on request", asked.status == 201, asked)


def bill_again(world, purchase, hour):
    def runs():
        return sum('"RunsFailed":0' in line for line in logs.of(world, "MeteringLog"))

    before = runs()
    world.run("MeteringSchedule")
    world.check("the reporter runs again", until(lambda: runs() > before), runs())
    world.check("and what was used is billed once", is_billed(world, purchase, hour), world.marketplace.bill())


def look_through_logs(world, secrets):
    written = {name: "\n".join(lines) for name, lines in logs.of_functions(world).items()}
    empty = [name for name, text in written.items() if not text]
    world.check("every function has a log", not empty, empty)
    secrets = [form for secret in secrets for form in (secret, urllib.parse.quote(secret, safe=""))]
    telling = [name for name, text in written.items() if any(secret in text for secret in secrets)]
    world.check("none has an address, a token or a code", not telling, telling)
    errors = [line for text in written.values() for line in text.splitlines() if '"level":"ERROR"' in line]
    world.check("and none an error", not errors, errors)
