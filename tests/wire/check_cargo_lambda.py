"""Each function by `cargo lambda watch` and `cargo lambda invoke`, as docs/SANDBOX.md says, on the sandbox's AWS:
python tests/wire/check_cargo_lambda.py (needs cargo-lambda in the path, and the sandbox's program).
"""

import json
import os
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

from running_sandbox import ROOT, Tally, free_port, running_sandbox

LICENSE = "l-0123456789abcdef0123456789abcdef"

# When the samples happen: no schedule of the sandbox's own comes between.
START = "2026-08-20T12:01:00Z"


def readme():
    """What docs/SANDBOX.md has typed where `cargo lambda watch` runs, and the invocations that it names."""
    with open(os.path.join(ROOT, "docs", "SANDBOX.md"), encoding="utf-8") as file:
        text = file.read()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (watch,) = (block for block in blocks if "cargo lambda watch\n" in block)
    invocations = re.findall(r"^cargo lambda invoke (\w+) --data-file events/\1/([\w-]+)\.json$", text, re.MULTILINE)
    return watch, invocations


class Functions:
    """The functions behind `cargo lambda watch`."""

    def __init__(self, port):
        self.port = str(port)
        self.place = ["--invoke-address", "127.0.0.1", "--invoke-port", self.port]

    def is_up(self):
        """Whether somebody answers, be it that there is nothing at this address."""
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5)
        except urllib.error.HTTPError:
            return True
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def invoke(self, function, sample):
        """The answer to a sample event. The first one waits until the function is built."""
        command = ["cargo", "lambda", "invoke", function, "--data-file", f"events/{function}/{sample}.json"]
        invoked = subprocess.run([*command, *self.place], cwd=ROOT, capture_output=True, text=True, timeout=900)
        if invoked.returncode != 0:
            return {"exit code": invoked.returncode, "said": invoked.stderr}
        return json.loads(invoked.stdout)


@contextmanager
def watching(script, sandbox, tally):
    functions = Functions(free_port())
    script = script.replace("http://127.0.0.1:4600", sandbox.aws_url)
    script = script.replace("cargo lambda watch", f"exec cargo lambda watch {' '.join(functions.place)}")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            ["bash", "-euc", script], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        is_done = False
        try:
            while not functions.is_up():
                if process.poll() is not None:
                    raise SystemExit(f"cargo lambda watch stopped with {process.returncode}")
                time.sleep(0.05)
            yield functions
            is_done = True
        finally:
            process.terminate()
            process.wait(timeout=30)
            if tally.failed or not is_done:
                log.seek(0)
                print(log.read()[-20000:])


def answered(answer):
    """The status and the document that a function of the API answers."""
    return answer.get("statusCode"), json.loads(answer.get("body") or "null")


def main():
    tally = Tally()
    watch, named = readme()
    invoked = set()
    with running_sandbox("--start", START) as sandbox, watching(watch, sandbox, tally) as functions:

        def check(function, sample, claim, holds):
            invoked.add((function, sample))
            answer = functions.invoke(function, sample)
            try:
                does_hold = holds(answer)
            except (KeyError, TypeError, ValueError):
                does_hold = False
            tally.check(f"{function}, {sample}: {claim}", does_hold, json.dumps(answer)[:600])

        def is_problem_page(answer):
            code = answer["headers"]["x-stallkeeper-code"]
            return (answer["statusCode"], code) == (400, "token_invalid") and "<html" in answer["body"]

        check("registration", "register-post", "AWS does not know the token", is_problem_page)

        def comes_again(*messages):
            return {"batchItemFailures": [{"itemIdentifier": message} for message in messages]}

        check("subscription", "agreement-created", "it is taken in", lambda answer: answer == comes_again())
        # The license is known from then on. AWS has no entitlements of it, which is not believed at once.
        again = comes_again("00000000-0000-4000-8000-000000000001")
        check("subscription", "license-updated", "AWS is asked again", lambda answer: answer == again)

        def has_the_license(answer):
            status, page = answered(answer)
            return status == 200 and [license["id"] for license in page["licenses"]] == [LICENSE]

        check("entitlement", "list-licenses", "the license is there", has_the_license)

        def refuses_both(answer):
            status, report = answered(answer)
            return status == 200 and [result["code"] for result in report["results"]] == ["dimension_unknown"] * 2

        check("usage", "report", "the listing has no such dimension", refuses_both)

        nothing = dict.fromkeys(["frozen", "carried", "calls", "sent", "accepted", "problems"], 0)
        ran = nothing | {"unfinished": False, "dry_run": False}
        check("metering", "schedule", "there is nothing to send", lambda answer: answer == ran)

        agreed = {"licenses": 1, "repairs": {}, "findings": {}, "failures": 0, "to_retry": 0, "skipped": 0, "unfinished": False}
        check("reconcile", "schedule", "the license is looked at", lambda answer: answer == agreed)

        check("readiness", "history", "nobody has looked yet", lambda answer: answer["statusCode"] == 200)

        check("notifier", "events", "both are told", lambda answer: answer == comes_again())
        published = sandbox.call("GET", "/sandbox/outbox")["published"]
        ids = {message["attributes"]["event_id"] for message in published}
        told = {"01J5QXM2V0AAAAAAAAAAAAAAAA", "01J5QXM2V0BBBBBBBBBBBBBBBB"}
        tally.check("and are on the topic", told <= ids, ids)

        unreadable = comes_again("059f36b4-87a3-44ab-83d2-661975037880")
        check("mailer", "unreadable-among-others", "only that one comes again", lambda answer: answer == unreadable)

    samples = set(os.listdir(os.path.join(ROOT, "events")))
    tally.check("every function with samples was invoked", {function for function, _ in invoked} == samples, samples)
    tally.check("and so was what docs/SANDBOX.md names", named and set(named) <= invoked, named)
    tally.close()


if __name__ == "__main__":
    main()
