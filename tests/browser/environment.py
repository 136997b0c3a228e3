"""What stands around the browsers: the sandbox, with its clock and its buyers, and the seller's application."""

import http.client
import json
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from urllib.parse import urlsplit

from other_site import HERE, running_other_site

ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "wire"))
from running_sandbox import Tally, running_sandbox  # noqa: E402, F401 - the checks count by the same tally

START = "2026-11-10T09:20:00Z"

# The listing of branded.toml.
BRANDED = "branded"

# What its registration page asks.
DETAILS = {"email": "kim@example.com", "name": "Kim Example", "company": "Example & Co", "answer_order_number": "PO-7"}

SIGNATURE = (
    "AWS4-HMAC-SHA256 Credential=AKIAAPPLICATION/20261110/us-east-1/execute-api/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=0"
)


class TestEnvironment:
    def __init__(self, sandbox, other_site):
        self.sandbox = sandbox
        self.other_site = other_site
        self.tokens = []

    # AWS Marketplace.

    def buy(self, product=BRANDED, **order):
        purchase = self.sandbox.call("POST", "/sandbox/purchases", {"product": product, "register": False} | order)
        self.tokens.append(purchase["token"])
        return purchase

    def click_set_up(self, browser, token):
        """The buyer presses "Set up your account" at AWS Marketplace, which posts the token from its own site."""
        fields = {"x-amzn-marketplace-offer-type": "free-trial"} | (
            {} if token is None else {"x-amzn-marketplace-token": token}
        )
        browser.open(self.other_site.form(self.sandbox.url + "/register", fields))
        browser.press("button")

    def deliver(self, **what):
        self.sandbox.call("POST", "/sandbox/deliver", what)

    def advance(self, by):
        self.sandbox.call("POST", "/sandbox/clock", {"advance": by})

    def payment_fails(self, subscribe):
        """Who subscribes to a product of the older kind cannot pay, as AWS tells it; that they can is not heard."""
        self.deliver(hold=True)
        purchase = subscribe()
        self.fault(service="dynamodb", operation="GetItem", times=50, kind="access_denied")
        self.deliver(release=True)
        self.clear_faults()
        product = purchase["product_code"]
        message = {"action": "subscribe-fail", "customer-identifier": purchase["customer_identifier"]}
        notification = {
            "Type": "Notification",
            "MessageId": purchase["agreement_id"],
            "TopicArn": f"arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-{product}",
            "Message": json.dumps(message | {"product-code": product}),
            "Timestamp": self.sandbox.call("GET", "/sandbox/clock")["now"][:19] + ".999Z",
        }
        self.deliver(message=json.dumps(notification))

    def fault(self, **what):
        self.sandbox.call("POST", "/sandbox/faults", what)

    def clear_faults(self):
        self.sandbox.call("DELETE", "/sandbox/faults")

    # The seller's application.

    def call(self, method, path, body=None, **headers):
        """A signed call of the API: the status, and what was answered."""
        connection = http.client.HTTPConnection(urlsplit(self.sandbox.url).netloc, timeout=30)
        headers = {"authorization": SIGNATURE, "content-type": "application/json"} | headers
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        finally:
            connection.close()

    def redeem(self, code):
        return self.call("POST", "/v1/handoffs", {"code": code}, **{"idempotency-key": code[:16] or "none"})

    def link(self, purchase, tenant):
        return self.call("PUT", f"/v1/licenses/{purchase['license']}/tenant", {"tenant": tenant})[0]

    def license(self, purchase):
        return self.call("GET", f"/v1/licenses/{purchase['license']}")[1]

    def contact(self, purchase):
        """What is kept of the buyer as a person, or None."""
        status, answer = self.call("GET", f"/v1/licenses/{purchase['license']}/contact")
        return answer if status == 200 else None

    def event_types(self, purchase):
        """The types of the events of a license for the application."""
        events = self.sandbox.call("GET", "/sandbox/events")["events"]
        return [event["type"] for event in events if event["license"] == purchase["license"]]


@contextmanager
def running_environment():
    # Half of what is sent is wrong, and the sandbox would log it.
    os.environ.setdefault("RUST_LOG", "off")
    with running_other_site() as other_site, tempfile.TemporaryDirectory() as listings:
        shutil.copytree(os.path.join(ROOT, "listings"), listings, dirs_exist_ok=True)
        shutil.copy(os.path.join(HERE, "branded.toml"), listings)
        arguments = ["--listings", listings, "--app-url", other_site.url, "--start", START, "--seed", "1"]
        with running_sandbox(*arguments) as sandbox:
            yield TestEnvironment(sandbox, other_site)
