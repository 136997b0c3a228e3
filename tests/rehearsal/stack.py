"""A stack, deployed from template.yaml into the local AWS by CloudFormation, as `sam deploy --config-env …` does it."""

import io
import os
import shlex
import subprocess
import tempfile
import time
import tomllib
import zipfile

import template
from local_aws import REGION, ROOT

BUCKET = "code"
BINARIES = os.path.join(ROOT, "target", "debug")


def settings(environment):
    """The stack's name, its capabilities and its parameters, as samconfig.toml has them."""
    with open(os.path.join(ROOT, "samconfig.toml"), "rb") as file:
        named = tomllib.load(file)[environment]
    everywhere, deploy = named["global"]["parameters"], named["deploy"]["parameters"]
    parameters = dict(override.split("=", 1) for override in shlex.split(deploy["parameter_overrides"]))
    return everywhere["stack_name"], deploy["capabilities"].split(), parameters


def upload_code(aws):
    """An archive for each binary, with the bootstrap in it, as `sam build` makes it."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for binary in template.binaries(template.source()).values():
        s3.put_object(Bucket=BUCKET, Key=f"{binary}.zip", Body=archive(binary))


def archive(binary):
    with tempfile.TemporaryDirectory() as folder:
        bootstrap = os.path.join(folder, "bootstrap")
        # Half of a debug build is its symbols.
        subprocess.run(["strip", "-o", bootstrap, os.path.join(BINARIES, binary)], check=True)
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
            file.write(bootstrap, "bootstrap")
    return content.getvalue()


def deploy(aws, environment, region=REGION, **overrides):
    """Begins a deployment. `overrides` are parameters, as of `--parameter-overrides`."""
    name, capabilities, parameters = settings(environment)
    parameters |= overrides
    key = f"{name}.json"
    # By way of the bucket, as the template is longer than a call may be.
    aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=template.deployable(BUCKET, parameters))
    created = aws.client("cloudformation", region).create_stack(
        StackName=name,
        TemplateURL=f"{aws.url}/{BUCKET}/{key}",
        Capabilities=capabilities,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )
    return Stack(aws, created["StackId"])


def push_listings(aws, stage, *names):
    """`stallkeeper listing push …`"""
    files = [os.path.join(ROOT, "listings", f"{name}.toml") for name in names]
    command = [os.path.join(BINARIES, "stallkeeper"), "listing", "push", "--stage", stage, *files]
    subprocess.run(command, env=aws.environment(), check=True)


class Stack:
    """Known by its id: by that it can still be asked for when it is removed."""

    def __init__(self, aws, identity):
        self.id, self.cloudformation = identity, aws.client("cloudformation")

    def described(self):
        (stack,) = self.cloudformation.describe_stacks(StackName=self.id)["Stacks"]
        return stack

    def wait(self):
        """Answers the status that it comes to."""
        while (status := self.described()["StackStatus"]).endswith("_IN_PROGRESS"):
            time.sleep(0.2)
        return status

    def remove(self):
        """`sam delete`. Answers the status that it comes to."""
        self.cloudformation.delete_stack(StackName=self.id)
        return self.wait()

    def outputs(self):
        return {output["OutputKey"]: output["OutputValue"] for output in self.described()["Outputs"]}

    def resources(self):
        """The type and the name at AWS of each resource."""
        pages = self.cloudformation.get_paginator("list_stack_resources").paginate(StackName=self.id)
        resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
        return {it["LogicalResourceId"]: (it["ResourceType"], it["PhysicalResourceId"]) for it in resources}

    def name_of(self, resource):
        return self.resources()[resource][1]

    def failures(self):
        events = self.cloudformation.describe_stack_events(StackName=self.id)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
        return [f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}" for event in failed]
