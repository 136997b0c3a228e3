"""AWS Marketplace for the rehearsal: the sandbox's. It sells, is asked by the functions, and keeps the bill."""

import datetime
import json
import os
import uuid

from local_aws import ROOT

EVENTS = os.path.join(ROOT, "events", "subscription")
HOUR = datetime.timedelta(hours=1)


def text_of(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def hour_to_bill(at):
    """The newest hour of UTC that the reporter may sum already: 10 minutes after it, or at 05:35 on the 1st if it is
    its month's last (docs/METERING.md). So a run bills it at once, whenever the rehearsal is."""
    hour = at.replace(minute=0, second=0, microsecond=0) - HOUR
    while at < summed_from(hour):
        hour -= HOUR
    return hour


def summed_from(hour):
    closes_month = (hour + HOUR).month != hour.month
    return hour + HOUR + datetime.timedelta(hours=5 if closes_month else 0, minutes=35 if closes_month else 10)


class Marketplace:
    def __init__(self, sandbox):
        self.sandbox = sandbox

    def buy(self, product, **dimensions):
        order = {"product": product, "dimensions": dimensions, "register": False}
        bought = self.sandbox.call("POST", "/sandbox/purchases", order)
        listings = self.sandbox.call("GET", "/sandbox/listings")["listings"]
        (listing,) = [listing for listing in listings if listing["product_code"] == bought["product_code"]]
        return bought | {"product_id": listing["product_id"], "at": self.time()}

    def change(self, purchase, action, **change):
        agreement = purchase["agreement_id"]
        self.sandbox.call("POST", f"/sandbox/agreements/{agreement}", {"action": action} | change)

    def token(self, purchase):
        """The buyer clicks "Set up your account"."""
        return self.sandbox.call("POST", f"/sandbox/agreements/{purchase['agreement_id']}/token")["token"]

    def time(self):
        return self.sandbox.call("GET", "/sandbox/clock")["now"]

    def catch_up(self):
        """Brings its clock to the time that the deployed functions have."""
        self.sandbox.call("POST", "/sandbox/clock", {"set": text_of(now())})

    def fail(self, service, operation, kind):
        fault = {"service": service, "operation": operation, "times": 1000, "kind": kind}
        self.sandbox.call("POST", "/sandbox/faults", fault)

    def clear_faults(self):
        self.sandbox.call("DELETE", "/sandbox/faults")

    def bill(self):
        """What buyers pay for: the records of more than nothing."""
        records = self.sandbox.call("GET", "/sandbox/bill")["records"]
        return [record for record in records if record["quantity"] != "0"]


def event_of(sample, purchase, time=None):
    """An event of AWS about what was bought, as events/subscription has it."""
    with open(os.path.join(EVENTS, f"{sample}.json"), encoding="utf-8") as file:
        (message,) = json.load(file)["Records"]
    event = json.loads(message["body"])
    event |= {"id": str(uuid.uuid4()), "time": time or text_of(now())}
    detail = event["detail"]
    detail["agreement"]["id"] = purchase["agreement_id"]
    detail["acceptor"]["accountId"] = purchase["account_id"]
    if "license" in detail:
        detail["product"] = {"code": purchase["product_code"], "id": purchase["product_id"]}
        detail["license"]["arn"] = purchase["license_arn"]
    return event
