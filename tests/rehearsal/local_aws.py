"""A local AWS for the rehearsal: ministack, started on a free port with a folder of its own, stopped by its id."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import boto3
from botocore.config import Config

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "wire"))
from running_sandbox import free_port  # noqa: E402

REGION = "us-east-1"
# Whatever account somebody has who rehearses: it is not meant.
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ |= {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
# Whoever has this key is the account itself.
ROOT_KEY = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}

# The services that ministack does not have, by the names that AWS's SDKs read their addresses from.
MARKETPLACE = ("MARKETPLACE_METERING", "MARKETPLACE_ENTITLEMENT_SERVICE", "MARKETPLACE_AGREEMENT", "MARKETPLACE_CATALOG")


class LocalAws:
    def __init__(self, port, log):
        self.url = f"http://127.0.0.1:{port}"
        self.log = log

    def client(self, service, region=REGION):
        # The real SDKs try again as well, and a refusal should be seen at once.
        config = Config(retries={"total_max_attempts": 1})
        return boto3.client(service, region_name=region, endpoint_url=self.url, config=config, **ROOT_KEY)

    def environment(self):
        """What points a command there."""
        key = {name.upper(): value for name, value in ROOT_KEY.items()}
        return os.environ | key | {"AWS_ENDPOINT_URL": self.url, "AWS_REGION": REGION}

    def output(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()


def environment(port, marketplace_url, folder):
    """What ministack runs with. Functions inherit it, as they do from Lambda: so the addresses of AWS reach them, and
    the template is not changed for it."""
    return os.environ | {f"AWS_ENDPOINT_URL_{service}": marketplace_url for service in MARKETPLACE} | {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        # IAM decides: signatures, the policies of the functions' roles, those of queues and topics.
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        # The API has the host name that it has at AWS.
        "MINISTACK_HOST": f"{REGION}.amazonaws.com",
        "MINISTACK_REGION": REGION,
        # What it writes is gone with the folder.
        "TMPDIR": folder,
        "STATE_DIR": folder,
    }


@contextmanager
def running_local_aws(marketplace_url):
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, open(os.path.join(folder, "log"), "wb") as log:
        process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "patched_ministack.py")],
            env=environment(port, marketplace_url, folder),
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            # Its functions run in its group, so that none outlives it.
            start_new_session=True,
        )
        aws = LocalAws(port, log.name)
        try:
            wait_until_ready(aws, process)
            yield aws
        finally:
            stop(process)


def wait_until_ready(aws, process):
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"{aws.url}/_ministack/health", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            if process.poll() is not None:
                raise SystemExit(f"ministack stopped with {process.returncode}: {aws.output()[-2000:]}") from None
            time.sleep(0.1)
    raise SystemExit(f"ministack did not answer within 30 seconds: {aws.output()[-2000:]}")


def stop(process):
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        pass
    # Whatever of its group is left.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
