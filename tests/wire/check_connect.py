"""docs/CONNECT.md, followed word for word: python tests/wire/check_connect.py [python|node|rust …] (needs boto3, Node 20,
npm, cargo, curl and openssl). Each language has a sandbox of its own. Only the sandbox's address is another: it is
that of a wire tap, which loses answers, goes away, and keeps every call, so that its signature can be computed again."""

import hashlib
import http.client
import json
import os
import random
import re
import shutil
import ssl
import subprocess
import sys
import threading
import time
import tomllib
import urllib.parse
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from check_openapi import Api
from running_sandbox import ROOT, Tally, running_sandbox

DOCUMENT = os.path.join(ROOT, "docs", "CONNECT.md")
# Below the repository, where cargo finds the workspace.
FOLDER = os.path.join(ROOT, "target", "connect-check")
ADDRESS = "http://127.0.0.1:8080"
LANGUAGES = {
    "python": ("python", lambda program: ["python", f"{program}.py"]),
    "node": ("js", lambda program: ["node", f"{program}.mjs"]),
    "rust": ("rust", lambda program: ["cargo", "run", "--quiet", "-p", "connect-example", "--", program]),
}
# Credentials of a role have a token, which must be signed as well.
SESSION_TOKEN = "a/session+token=="
RETRY_AFTER = {"content-type": "application/json", "retry-after": "1"}
PRODUCT = {"product": "demo-consumption", "dimensions": {"events_included": 100}, "register": False}


class Block:
    """A fenced block: what it is in, whom it is for, what its name is."""

    def __init__(self, heading, text):
        self.kind, *words = heading.split()
        self.file = next((word.removeprefix("file=") for word in words if word.startswith("file=")), None)
        self.words, self.text = words, text


def blocks():
    with open(DOCUMENT, encoding="utf-8") as file:
        return [Block(*found) for found in re.findall(r"^```(\w[^\n]*)\n(.*?)^```$", file.read(), re.M | re.S)]


class Call:
    def __init__(self, request, body):
        self.method, self.target, self.body = request.command, request.path, body
        self.path = urllib.parse.urlsplit(request.path).path
        self.headers = {name.lower(): value for name, value in request.headers.items()}

    def is_by_curl(self):
        return self.headers.get("user-agent", "").startswith("curl/")

    def is_signed_by(self, access_key, secret_key):
        """Whether botocore signs the call as it arrived just so."""
        found = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=(\w+)/(\d{8})/us-east-1/execute-api/aws4_request, ?"
            r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})",
            self.headers.get("authorization", ""),
        )
        if not found or found[1] != access_key:
            return False
        signed, date = found[3].split(";"), self.headers.get("x-amz-date", "")
        must = {"host", "x-amz-date", "x-amz-security-token"}
        if not must <= set(signed) <= set(self.headers) or not date.startswith(found[2]):
            return False
        checksum = hashlib.sha256(self.body).hexdigest()
        if self.headers.get("x-amz-content-sha256", checksum) != checksum:
            return False
        headers = {name: self.headers[name] for name in signed}
        request = AWSRequest(self.method, f"http://{self.headers['host']}{self.target}", headers, self.body)
        request.context["timestamp"] = date
        botocore = SigV4Auth(Credentials(access_key, secret_key, SESSION_TOKEN), "execute-api", "us-east-1")
        text = botocore.string_to_sign(request, botocore.canonical_request(request))
        return botocore.signature(text, request) == found[4]


class WireTap:
    """Between the application and the sandbox. It keeps every call."""

    def __init__(self, sandbox, certificate=None):
        self.calls, self.is_away, self.lost = [], False, Counter()
        # Answers of these are lost once, after the call has had its effect.
        self.to_lose = {("POST", "/v1/handoffs"), ("PUT", "/v1/licenses"), ("POST", "/v1/usage")}
        self.lock = threading.Lock()
        behind = urllib.parse.urlsplit(sandbox.url).netloc
        tap = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                if tap.is_away:
                    return self.reply(503, b'{"message":"Service Unavailable"}', RETRY_AFTER)
                with tap.lock:
                    tap.calls.append(Call(self, body))
                    kind = next((kind for kind in tap.to_lose if tap.is_of(kind, self)), None)
                    tap.to_lose.discard(kind)
                connection = http.client.HTTPConnection(behind, timeout=30)
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    connection.putheader(name, value)
                connection.endheaders(body)
                response = connection.getresponse()
                content = response.read()
                connection.close()
                if kind and response.status == 200:
                    tap.lost[kind] += 1
                    self.close_connection = True
                    return None
                return self.reply(response.status, content, response.headers)

            def reply(self, status, content, headers):
                self.send_response(status)
                for name in ("content-type", "retry-after"):
                    if name in headers:
                        self.send_header(name, headers[name])
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

            do_GET = do_POST = do_PUT = do_DELETE = answer

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.url = f"https://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def is_of(kind, request):
        return request.command == kind[0] and request.path.startswith(kind[1])

    def signed(self):
        return [call for call in self.calls if call.path.startswith("/v1/")]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Reader:
    """Follows the document in one language, in a folder and a shell of their own."""

    def __init__(self, language, tap, tally):
        self.language, self.tap, self.tally = language, tap, tally
        folder = os.path.join(FOLDER, language)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        state = os.path.join(folder, "state.sh")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        path = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
        aws = {"AWS_SESSION_TOKEN": SESSION_TOKEN, "AWS_EC2_METADATA_DISABLED": "true"}
        self.environment = kept | aws | {"PATH": path, "STATE": state}
        self.shell(f"cd '{folder}'")

    def check(self, name, holds, shown=""):
        self.tally.check(f"{self.language}: {name}", holds, shown)

    def shell(self, script, stdin=""):
        """Runs what a reader types; functions, exports and the folder stay."""
        script = f"""
            [ ! -e "$STATE" ] || . "$STATE"
            set -e -o pipefail
            {script}
            {{ declare -f; export -p; printf 'cd %q\\n' "$PWD"; }} > "$STATE"
        """
        return subprocess.run(
            ["bash", "-c", re.sub("(?m)^ {12}", "", script)],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=600,
        )

    def here(self):
        return self.shell("pwd").stdout.strip()

    def value_of(self, name):
        return self.shell(f'printf %s "${name}"').stdout

    def program(self, name, *arguments, stdin="", **environment):
        exports = " ".join(f"{name}='{value}'" for name, value in environment.items())
        command = " ".join(f"'{word}'" for word in LANGUAGES[self.language][1](name) + list(arguments))
        return self.shell(f"{exports} {command}", stdin)

    def is_concerned_by(self, block):
        others = set(LANGUAGES) - {self.language}
        return not others & set(block.words)

    def follow(self, blocks, browser):
        """Everything in the order of the page. `browser` is what a buyer does before they copy the code."""
        output = ""
        for block in blocks:
            if not self.is_concerned_by(block):
                continue
            if block.kind == "sh" and not {"sandbox", "aws"} & set(block.words):
                # The first line of what is asked is the code, or the answer to whether the account is right.
                stdin = browser() + "\n" if "code" in block.words else "y\n"
                run = self.shell(block.text.replace(ADDRESS, self.tap.url), stdin)
                output = run.stdout
                self.check(f"$ {block.text.splitlines()[0]}", run.returncode == 0, run.stderr[-2000:])
                print(re.sub("^", "        ", output.strip(), flags=re.M)[:2000])
            elif block.kind == "text":
                self.check("it says what the page says", output.strip() == block.text.strip(), output)
            elif block.kind == LANGUAGES[self.language][0] and self.language != "rust":
                with open(os.path.join(self.here(), block.file), "w", encoding="utf-8") as file:
                    file.write(block.text)


def check_rust(blocks, tally):
    """The page's Rust is that of the example, and its crates are the workspace's."""
    folder = os.path.join(ROOT, "examples", "connect")
    shown = {block.file: block.text for block in blocks if block.kind == "rust"}
    files = {}
    for name in os.listdir(os.path.join(folder, "src")):
        with open(os.path.join(folder, "src", name), encoding="utf-8") as file:
            files[f"src/{name}"] = file.read()
    differing = [name for name in files | shown if files.get(name) != shown.get(name)]
    tally.check("the Rust on the page is examples/connect", files and not differing, differing)
    with open(os.path.join(ROOT, "Cargo.toml"), "rb") as file:
        workspace = tomllib.load(file)["workspace"]["dependencies"]
    with open(os.path.join(folder, "Cargo.toml"), "rb") as file:
        used = {name: workspace[name] for name in tomllib.load(file)["dependencies"]}
    named = tomllib.loads(next(block.text for block in blocks if block.kind == "toml"))
    differing = [name for name in used | named if used.get(name) != named.get(name)]
    tally.check("its crates are those of the example", not differing, differing)


def check_deployment(blocks, tally):
    """What only an AWS account can run, beside the template."""
    with open(os.path.join(ROOT, "template.yaml"), encoding="utf-8") as file:
        template = file.read()
    with open(os.path.join(ROOT, "samconfig.toml"), "rb") as file:
        stack = tomllib.load(file)["staging"]["global"]["parameters"]
    (address,) = [block.text for block in blocks if "aws" in block.words]
    output = re.search(r"OutputKey=='(\w+)'", address)[1]
    outputs = template.split("\nOutputs:\n")[1]
    tally.check("the stack has that output", f"\n  {output}:\n" in "\n" + outputs, output)
    named = f"--region {stack['region']} --stack-name {stack['stack_name']} " in address
    tally.check("the stack is the one that is deployed", named, address)
    (policy,) = [json.loads(block.text) for block in blocks if "policy" in block.words]
    (statement,) = policy["Statement"]
    allowed = statement["Resource"].split(":", 5)[5].split("/", 1)[1].replace("*", ".*")
    paths = re.findall(r"Path: (\S+)\n +Method: ANY\n +Auth:", template)
    denied = [path for path in paths if not re.fullmatch(allowed, f"$default/POST{path}")]
    tally.check("the policy allows every signed route", paths and not denied, denied)
    tally.check("and no other action", statement["Action"] == "execute-api:Invoke", statement)
    topic = "EventsTopicArn"
    tally.check("the stack has the topic", f"\n  {topic}:\n" in "\n" + outputs, topic)


def check_events(tally):
    """The types of events, beside their schemas."""
    with open(DOCUMENT, encoding="utf-8") as file:
        page = file.read()
    schemas = [name for name in os.listdir(os.path.join(ROOT, "docs/events")) if name.endswith(".schema.json")]
    missing = [name for name in schemas if f"`{name.removesuffix('.schema.json')}`" not in page]
    tally.check("the page names every type of event", schemas and not missing, missing)


def follow(language, blocks, tally):
    (start,) = [block.text for block in blocks if "sandbox" in block.words]
    command, arguments = start.split(" serve ")
    tally.check("the sandbox is started as it is here", command == "cargo run -p sandbox --", command)
    with running_sandbox(*arguments.split()) as sandbox:
        tap = WireTap(sandbox)
        try:
            reader, api = Reader(language, tap, tally), Api(sandbox)
            step = next(place for place, block in enumerate(blocks) if "sandbox/clock" in block.text)
            reader.follow(blocks[:step], lambda: subscribe(api))
            (license,) = api.call("GET", "/v1/licenses")["licenses"]
            linked = (reader.value_of("LICENSE"), "acme")
            reader.check("the license is the tenant's", linked == (license["id"], license["tenant"]), license)
            other = check_other_cases(reader, sandbox, api)
            reader.follow(blocks[step:], lambda: subscribe(api))
            check_bill(reader, sandbox, {license["id"]: "100", other: "50"})
            check_signatures(reader, "curl", [call for call in tap.signed() if call.is_by_curl()])
            check_signatures(reader, language, [call for call in tap.signed() if not call.is_by_curl()])
            check_https(reader, sandbox)
            if language == "python":
                check_events_of_license(reader, sandbox, api, license)
        finally:
            tap.close()
            shutil.rmtree(FOLDER, ignore_errors=True)


def subscribe(api):
    """What the page has the buyer do in a browser; answers the code."""
    front = api.send("GET", "/")[2]
    card = next(card for card in front.split("</section>") if "<h3>Demo Contract with Consumption</h3>" in card)
    product = re.search(r'name="product" value="(\w+)"', card)[1]
    amount = re.search(r'<label>Events included <input type="number" min="0" name="([\w.]+)"', card)[1]
    form = urllib.parse.urlencode({"product": product, amount: "100", "account": ""})
    page = api.send("POST", "/storefront/subscribe", form, Content_Type="application/x-www-form-urlencoded")[2]
    return api.register({"token": re.search(r'name="x-amzn-marketplace-token" value="([^"]+)"', page)[1]})


def check_other_cases(reader, sandbox, api):
    """What the page says of answers that are lost, refusals and absence; answers another tenant's license."""
    tap = reader.tap
    reader.check("an answer of each kind was lost", set(tap.lost.values()) == {1} and len(tap.lost) == 3, tap.lost)

    purchase = sandbox.call("POST", "/sandbox/purchases", PRODUCT)

    def redeem_from(code, tenant, answer="y"):
        return reader.program("arrive", tenant, stdin=f"{answer}\n", CODE=code)

    code = api.register(purchase)
    denied = redeem_from(code, "beta", "n")
    masked = f"********{purchase['account_id'][-4:]} your AWS account?"
    reader.check("the account is shown masked", masked in denied.stderr and "********" in masked, denied.stderr)
    unlinked = api.call("GET", f"/v1/licenses/{purchase['license']}")["tenant"]
    reader.check("nothing is linked without a yes", denied.returncode != 0 and unlinked is None, denied.stdout)
    again = redeem_from(code, "beta")
    told = "Choose “Set up your account” on AWS Marketplace again." in again.stderr
    reader.check("a code that is used is gone", again.returncode != 0 and told, again.stderr)

    def fresh():
        path = f"/sandbox/agreements/{purchase['agreement_id']}/token"
        return api.register(sandbox.call("POST", path))

    linked = redeem_from(fresh(), "beta")
    reader.check("the buyer may come again", linked.stdout.strip() == purchase["license"], linked.stderr)
    stolen = redeem_from(fresh(), "acme")
    told = "This purchase belongs to another account of ours." in stolen.stderr
    reader.check("another's license is refused", stolen.returncode != 0 and told and not stolen.stdout, stolen.stderr)
    same = redeem_from(fresh(), "beta")
    reader.check("its own tenant's users are let in", same.stdout.strip() == purchase["license"], same.stderr)

    check_decisions(reader)

    tap.is_away = True
    before = time.monotonic()
    away = reader.program("report", purchase["license"], "events_extra", "150")
    waited = time.monotonic() - before
    tap.is_away = False
    reader.check("without an answer the report fails", away.returncode != 0 and not away.stdout, away.stdout)
    reader.check("after three waits of the time that is named", waited >= 3, waited)
    sent = reader.program("report")
    reader.check("and is sent again", sent.stdout == "1 sent, 0 to be sent again\n", sent.stdout + sent.stderr)
    refused = reader.program("report", purchase["license"], "events_included", "1")
    reader.check("a refusal is no reason to send it again", refused.stdout == sent.stdout, refused.stderr)
    with open(os.path.join(reader.here(), "problems.jsonl"), encoding="utf-8") as file:
        codes = [json.loads(line)["result"]["code"] for line in file]
    reader.check("and is kept for an operator", codes == ["dimension_not_metered"], codes)
    return purchase["license"]


def check_decisions(reader):
    tap, question = reader.tap, "events_included 7\n"
    before = len(tap.calls)
    asked = reader.program("ask", "acme", stdin=question * 2)
    fresh = "events_included 7: yes, entitled\n"
    reader.check("an answer is kept for a while", asked.stdout == fresh * 2, asked.stdout + asked.stderr)
    reader.check("and asked for once", len(tap.calls) == before + 1, [call.target for call in tap.calls[before:]])
    nobody = reader.program("ask", "acme:eu", stdin=question)
    reader.check("a tenant may have a colon", nobody.stdout == "events_included 7: no, no_license\n", nobody.stdout)

    command = LANGUAGES[reader.language][1]("ask") + ["acme"]
    environment = reader.environment | {
        "FRESH_SECONDS": "0",
        "STALLKEEPER_API_URL": tap.url,
        "AWS_ACCESS_KEY_ID": reader.value_of("AWS_ACCESS_KEY_ID"),
        "AWS_SECRET_ACCESS_KEY": reader.value_of("AWS_SECRET_ACCESS_KEY"),
    }
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, cwd=reader.here(), **pipes) as program:

        def ask():
            program.stdin.write(question)
            program.stdin.flush()
            return program.stdout.readline()

        first = ask()
        tap.is_away = True
        last_known = ask()
        tap.is_away = False
        back = ask()
        program.communicate(timeout=60)
    held = f"{fresh.strip()} (last known)\n"
    reader.check("the last known answer holds", last_known == held, last_known)
    reader.check("until there is one again", first == back == fresh, [first, back])
    tap.is_away = True
    unknown = reader.program("ask", "acme", stdin=question)
    tap.is_away = False
    reader.check("nothing is made up", unknown.returncode != 0 and not unknown.stdout, unknown.stdout)


def check_bill(reader, sandbox, expected):
    def billed():
        totals = sandbox.call("GET", "/sandbox/bill")["totals"]
        return {total["license"]: total["quantity"] for total in totals if total["dimension"] == "events_extra"}

    # The last hour of a month is billed on the 1st at 05:35 only.
    for _ in range(8):
        if billed() == expected:
            break
        sandbox.call("POST", "/sandbox/clock", {"advance": "1h"})
    reader.check("each unit is billed once, beyond the contract", billed() == expected, billed())


def check_events_of_license(reader, sandbox, api, license):
    def events_so_far():
        return sandbox.call("GET", "/sandbox/events")["events"]

    def run_listener(events):
        run = reader.program("receive", stdin="".join(json.dumps(event) + "\n" for event in events))
        return run.stdout.splitlines() if run.returncode == 0 else [run.stderr]

    events = [event for event in events_so_far() if event["license"] == license["id"]]
    types = {event["type"] for event in events}
    awaited = {"license.activated", "license.linked", "registration.completed", "license.entitlements_changed"}
    reader.check("the sandbox shows the events", awaited <= types, types)
    shown = api.call("GET", f"/v1/licenses/{license['id']}")
    now = f"acme active, as of event {shown['sequence']}"
    known = ["known already"] * (2 * len(events) - 1)
    reader.check("in order and twice", run_listener(events * 2) == [now] + known, run_listener(events * 2))
    for seed in range(5):
        shuffled = events * 2
        random.Random(seed).shuffle(shuffled)
        reader.check(f"in no order and twice, {seed}", run_listener(shuffled) == [now] + known, run_listener(shuffled))
    reader.check("a gap is closed", run_listener(events[-1:]) == [now], run_listener(events[-1:]))

    sandbox.call("POST", f"/sandbox/agreements/{license['agreement']}", {"action": "end"})
    ending = [
        event for event in events_so_far() if event["license"] == license["id"] and event["type"] == "license.ending"
    ]
    reader.check("an end is published", len(ending) == 1, events_so_far())
    output = run_listener(ending)
    reader.check("and processed", len(output) == 1 and re.match("acme (ending|ended), ", output[0]), output)
    compiled = reader.shell("python -m py_compile listen.py")
    reader.check("listen.py is a program", compiled.returncode == 0, compiled.stderr)


def check_signatures(reader, whose, calls):
    key, secret = reader.value_of("AWS_ACCESS_KEY_ID"), reader.value_of("AWS_SECRET_ACCESS_KEY")
    wrong = [f"{call.method} {call.target} {call.headers}" for call in calls if not call.is_signed_by(key, secret)]
    reader.check(f"{whose} signs as botocore does, {len(calls)} times", calls and not wrong, wrong[:1])
    other = [call.target for call in calls if call.is_signed_by(key, "another")]
    reader.check("and not with another key", not other, other)


def check_https(reader, sandbox):
    """A deployed stack is spoken to over TLS. Nothing but the environment differs."""
    trusted, certificate = certificates()
    tap = WireTap(sandbox, certificate)
    try:
        trust = {"SSL_CERT_FILE": trusted, "NODE_EXTRA_CA_CERTS": trusted}
        run = reader.program("get-in" if reader.language == "rust" else "get_in", STALLKEEPER_API_URL=tap.url, **trust)
        reader.check("the same over TLS", run.stdout == "2 active licenses\n", run.stdout + run.stderr)
        check_signatures(reader, "it", tap.signed())
    finally:
        tap.close()


def certificates():
    """An authority to trust, and a certificate of it for localhost with its key."""
    configuration, authority = os.path.join(FOLDER, "openssl.cnf"), os.path.join(FOLDER, "authority.pem")
    with open(configuration, "w", encoding="utf-8") as file:
        file.write("[req]\ndistinguished_name = name\n[name]\n")
    make = ["openssl", "req", "-x509", "-config", configuration, "-newkey", "rsa:2048", "-nodes", "-days", "2"]

    def made(name, *options):
        both = os.path.join(FOLDER, f"{name}.pem")
        command = [*make, "-subj", f"/CN={name}", "-keyout", f"{both}.key", "-out", both, *options]
        subprocess.run(command, check=True, capture_output=True)
        with open(both, "a", encoding="utf-8") as certificate, open(f"{both}.key", encoding="utf-8") as key:
            certificate.write(key.read())
        return both

    made("authority", "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    signed = ["-CA", authority, "-CAkey", f"{authority}.key", "-addext", "basicConstraints=CA:FALSE"]
    return authority, made("localhost", *signed, "-addext", "subjectAltName=DNS:localhost")


def main():
    tally, page = Tally(), blocks()
    check_rust(page, tally)
    check_deployment(page, tally)
    check_events(tally)
    for language in sys.argv[1:] or LANGUAGES:
        follow(language, page, tally)
    tally.close()


if __name__ == "__main__":
    main()
