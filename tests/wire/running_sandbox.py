"""A sandbox process for checks from outside: started on free ports, spoken to over HTTP, stopped by its id."""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Sandbox:
    def __init__(self, port, aws_port):
        self.url = f"http://127.0.0.1:{port}"
        self.aws_url = f"http://127.0.0.1:{aws_port}"

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data=data, method=method, headers={"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def environment(self):
        """What points any SDK to the sandbox."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return kept | {
            "AWS_ENDPOINT_URL": self.aws_url,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "example",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
        }


@contextmanager
def running_sandbox(*arguments):
    port, aws_port = free_port(), free_port()
    binary = os.environ.get("SANDBOX", os.path.join(ROOT, "target", "debug", "sandbox"))
    process = subprocess.Popen(
        [binary, "serve", "--port", str(port), "--aws-port", str(aws_port), "--app-port", "0", *arguments],
        stdout=subprocess.DEVNULL,
    )
    sandbox = Sandbox(port, aws_port)
    try:
        for _ in range(200):
            try:
                sandbox.call("GET", "/sandbox/clock")
                break
            except (urllib.error.URLError, ConnectionError):
                if process.poll() is not None:
                    raise SystemExit(f"the sandbox stopped with {process.returncode}")
                time.sleep(0.05)
        else:
            raise SystemExit("the sandbox did not answer within 10 seconds")
        yield sandbox
    finally:
        process.terminate()
        process.wait(timeout=10)


class Tally:
    """Counts checks, and tells each."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, holds, shown=""):
        if holds:
            self.passed += 1
            print(f"ok      {name}")
        else:
            self.failed += 1
            print(f"FAILED  {name}: {shown}")

    def close(self):
        print(f"{self.passed} passed, {self.failed} failed")
        raise SystemExit(1 if self.failed or not self.passed else 0)
