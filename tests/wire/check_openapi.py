"""The API against docs/openapi.yaml, asked by Schemathesis: python tests/wire/check_openapi.py (needs `schemathesis` on
the path, or its place in SCHEMATHESIS). It sends what the document allows and what it does not, and looks whether each
answer is one that the document has for it."""

import http.client
import json
import os
import re
import subprocess
import tempfile
import urllib.parse

from running_sandbox import ROOT, Tally, running_sandbox

SCHEMATHESIS = os.environ.get("SCHEMATHESIS", "schemathesis")

START = "2026-11-10T09:20:00Z"

SIGNATURE = (
    "AWS4-HMAC-SHA256 Credential=AKIAAPPLICATION/20261110/us-east-1/execute-api/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=0"
)

SEED = 20261110

# Requests for each operation and phase.
EXAMPLES = 100

CONFIGURATION = """
seed = {seed}
continue-on-failure = true

[generation]
max-examples = {examples}
# The check of missing headers wants 401, and API Gateway answers an unsigned call 403: `ignored_auth` looks for that.
with-security-parameters = false

[parameters]
"path.license" = {{ dictionary = "licenses", probability = 0.6 }}
"path.tenant" = {{ dictionary = "tenants", probability = 0.6 }}
"path.record" = {{ dictionary = "records", probability = 0.6 }}
"query.account" = {{ dictionary = "accounts", probability = 0.6 }}
"query.dimension" = {{ dictionary = "dimensions", probability = 0.6 }}
"body.code" = {{ dictionary = "codes", probability = 0.6 }}
"body.tenant" = {{ dictionary = "tenants", probability = 0.6 }}
"body.from" = {{ dictionary = "tenants", probability = 0.6 }}
"body.to" = {{ dictionary = "tenants", probability = 0.6 }}
"body.events[*].license" = {{ dictionary = "licenses", probability = 0.6 }}
"body.events[*].dimension" = {{ dictionary = "dimensions", probability = 0.6 }}
"body.events[*].time" = {{ dictionary = "times", probability = 0.6 }}
"""


class Api:
    """The sandbox as the application and a buyer's browser see it."""

    def __init__(self, sandbox):
        self.address = urllib.parse.urlsplit(sandbox.url).netloc

    def send(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()
        finally:
            connection.close()

    def call(self, method, path, body=None):
        """A signed call that is answered 200."""
        body = None if body is None else json.dumps(body)
        status, _, answer = self.send(method, path, body, Authorization=SIGNATURE, Content_Type="application/json")
        if status != 200:
            raise SystemExit(f"{method} {path}: {status} {answer}")
        return json.loads(answer)

    def register(self, purchase):
        """The buyer goes through the registration page; answers the code that the application redeems."""

        def post(path, cookie="", **fields):
            form = {"Content_Type": "application/x-www-form-urlencoded", "Origin": f"http://{self.address}"}
            return self.send("POST", path, urllib.parse.urlencode(fields), Cookie=cookie, **form)[1]

        cookie = post("/register", **{"x-amzn-marketplace-token": purchase["token"]})["set-cookie"].split(";")[0]
        page = self.send("GET", "/register", Cookie=cookie)[2]
        form_token = re.search(r'name="form_token" value="([^"]+)"', page)[1]
        headers = post("/register/details", cookie, form_token=form_token, email="kim@example.com", account="new")
        return urllib.parse.parse_qs(urllib.parse.urlsplit(headers["location"]).query)["code"][0]


def license_event(purchase, license, arn, time):
    """Returns an event of AWS about a license that it does not know, or whose name it does not resolve."""
    detail = {
        "requestId": "r",
        "catalog": "AWSMarketplace",
        "agreement": {"id": purchase["agreement_id"]},
        "product": {"code": purchase["product_code"], "id": "prod-any"},
        "license": {"arn": arn + license},
        "acceptor": {"accountId": purchase["account_id"]},
        "proposer": {"accountId": "444455556666"},
        "offer": {"id": "offer-any"},
    }
    envelope = {"version": "0", "id": license, "source": "aws.agreement-marketplace", "account": "444455556666"}
    envelope |= {"detail-type": "License Updated - Manufacturer", "time": time, "region": "us-east-1", "resources": []}
    return {"message": json.dumps(envelope | {"detail": detail})}


def prepare(sandbox):
    """Buyers, tenants, and records in many states; answers what requests can name."""
    api = Api(sandbox)

    def now():
        return sandbox.call("GET", "/sandbox/clock")["now"]

    def advance(by):
        sandbox.call("POST", "/sandbox/clock", {"advance": by})

    def buy(product, **order):
        return sandbox.call("POST", "/sandbox/purchases", {"product": product, "register": False} | order)

    contract = buy("demo-contract", dimensions={"seats": 5, "projects": 2})
    subscription, ended = buy("demo-subscription"), buy("demo-subscription")
    consumption = buy("demo-consumption", dimensions={"events_included": 100})
    legacy = buy("demo-legacy")
    bought = [contract, subscription, ended, consumption, legacy]
    strange, unsendable = "l-00000000000000000000000000000bad", "l-00000000000000000000000000000old"
    arns = {strange: "arn:aws:license-manager::444455556666:license:", unsendable: "aws:license-manager:us-east-1:1:"}
    for license, arn in arns.items():
        sandbox.call("POST", "/sandbox/deliver", license_event(subscription, license, arn, now()))
    for purchase in bought:
        api.register(purchase)
    for purchase, tenant in [(contract, "acme"), (subscription, "acme"), (consumption, "blue"), (legacy, "old")]:
        api.call("PUT", f"/v1/licenses/{purchase['license']}/tenant", {"tenant": tenant})
    used = [
        (subscription["license"], "requests", 5, {"team": "red"}),
        (subscription["license"], "storage_gb", "0.25", {}),
        (consumption["license"], "events_extra", 170, {}),
        (legacy["license"], "requests", 3, {}),
        (strange, "requests", 7, {}),
        (unsendable, "requests", 7, {}),
    ]
    unpublished = {"product": "demo-subscription", "dimension": "storage_gb", "published": False}
    times = []
    for hour in range(3):
        time = now()
        times.append(time)
        names = ["license", "dimension", "quantity", "tags"]
        events = [dict(zip(names, of)) | {"time": time, "key": f"{hour}"} for of in used]
        report = api.call("POST", "/v1/usage", {"events": events})
        if report["accepted"] != len(events):
            raise SystemExit(f"usage is not taken in: {report}")
        advance("80m")
        if hour == 1:
            sandbox.call("POST", "/sandbox/dimensions", unpublished)
    sandbox.call("POST", f"/sandbox/agreements/{ended['agreement_id']}", {"action": "end"})

    problems = api.call("GET", "/v1/usage/problems")["problems"]
    kinds = {problem["kind"] for problem in problems}
    if not {"refused", "held", "paused"} <= kinds:
        raise SystemExit(f"the problems to look at are only {kinds}")
    arriving = [buy("demo-contract", dimensions={"seats": 1}) for _ in range(12)]
    licenses = [purchase["license"] for purchase in bought + arriving]
    return {
        "licenses": licenses,
        "tenants": ["acme", "blue", "old", "nobody"],
        "records": [problem["record"] for problem in problems if "record" in problem]
        + [record["record"] for record in api.call("GET", f"/v1/licenses/{licenses[1]}/usage")["records"][:4]],
        "accounts": [contract["account_id"], subscription["account_id"]],
        "dimensions": ["seats", "projects", "requests", "storage_gb", "events_included", "events_extra"],
        "codes": [api.register(purchase) for purchase in arriving],
        "times": [*times, now()],
    }


def documented():
    """The operations of the document, as `GET /v1/licenses`."""
    with open(os.path.join(ROOT, "docs", "openapi.yaml"), encoding="utf-8") as file:
        lines = file.read().split("\npaths:\n")[1].split("\ncomponents:\n")[0].splitlines()
    operations, path = set(), ""
    for line in lines:
        if line.startswith("  /"):
            path = line.strip().rstrip(":")
        elif re.fullmatch(r"    (get|put|post|delete|patch):", line):
            operations.add(f"{line.strip().rstrip(':').upper()} {path}")
    return operations


def main():
    # Half of what is sent is wrong, and the sandbox would log it.
    os.environ["RUST_LOG"] = "off"
    tally = Tally()
    with running_sandbox("--start", START, "--seed", "1") as sandbox, tempfile.TemporaryDirectory() as folder:
        configuration, seen = os.path.join(folder, "schemathesis.toml"), os.path.join(folder, "seen.json")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(seed=SEED, examples=EXAMPLES))
            for name, values in prepare(sandbox).items():
                file.write(f"\n[dictionaries.{name}]\nvalues = {json.dumps(values)}\n")
        command = [SCHEMATHESIS, "--config-file", configuration, "run", os.path.join(ROOT, "docs", "openapi.yaml")]
        command += ["--url", sandbox.url, "--header", f"Authorization: {SIGNATURE}"]
        command += ["--checks", "all", "--warnings", "off"]
        hooks = {"SCHEMATHESIS_HOOKS": os.path.join(ROOT, "tests", "wire", "openapi_hooks.py"), "SEEN": seen}
        run = subprocess.run(command, env=os.environ | hooks, cwd=folder, timeout=600)
        code = run.returncode
        tally.check("every answer is one that the document has", code == 0, f"schemathesis ended with {code}")
        with open(seen, encoding="utf-8") as file:
            statuses = json.load(file)
    for operation, answered in statuses.items():
        tally.check(f"{operation} was answered {answered}", min(answered) < 300, "never with what it is for")
    missing = documented() - set(statuses)
    tally.check("every operation was asked", not missing, missing)
    tally.close()


if __name__ == "__main__":
    main()
