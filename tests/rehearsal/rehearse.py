"""The deployment, rehearsed: python tests/rehearsal/rehearse.py (needs ministack, boto3, aws-sam-translator and cbor2, and
`cargo build --workspace --exclude fuzz --bins` before it).

template.yaml is transformed as AWS transforms it and deployed by CloudFormation, with the real binaries, into a local
AWS (ministack), whose IAM is on: what a role or a policy lacks fails here as it would there. AWS Marketplace is the
sandbox's. Then a buyer goes all the way. Where ministack differs from AWS, a bridge stands in this folder, with its
reason."""

import datetime
import sys
import time

import logs
import removal
import stack as stacks
import walk
from botocore.exceptions import ClientError
from local_aws import running_local_aws
from marketplace import Marketplace, hour_to_bill, now, text_of
from running_sandbox import Tally, running_sandbox
from world import MAIL_FROM, World


def deploy(aws, tally):
    stacks.upload_code(aws)
    try:
        stacks.deploy(aws, "staging", region="eu-west-1")
        said = "it was not"
    except ClientError as refused:
        said = str(refused)
    tally.check("another region is refused, and the message says why", "us-east-1 alone" in said, said)
    stack = stacks.deploy(aws, "staging", MailFrom=MAIL_FROM)
    status = stack.wait()
    tally.check("staging is deployed", status == "CREATE_COMPLETE", stack.failures())
    if tally.failed:
        print(aws.said())
        tally.close()
    return stack


def walk_through(world, purchase, silent, hour):
    walk.pause_schedules(world)
    token, code = walk.register(world, purchase)
    walk.only_signed_calls(world)
    walk.activate(world, purchase)
    walk.redeem(world, purchase, code)
    walk.ask(world)
    walk.use(world, purchase, hour)
    walk.bill(world, purchase, hour)
    walk.told(world, purchase)
    walk.mailed(world)
    walk.audited(world)
    walk.audit_readiness(world, purchase)
    walk.redrive(world, purchase)
    walk.end(world, purchase)
    walk.reconcile(world, silent)
    walk.bill_again(world, purchase, hour)
    walk.look_through_logs(world, ["@example.com", token, code])


def main():
    tally, begun = Tally(), time.monotonic()
    hour = hour_to_bill(now())
    # Both buyers have bought by then. The sandbox's own stack is production's, which has no listing of what they buy.
    start = text_of(hour - datetime.timedelta(minutes=30))
    with (
        running_sandbox("--stages", "production", "--start", start) as sandbox,
        running_local_aws(sandbox.aws_url) as aws,
    ):
        marketplace = Marketplace(sandbox)
        purchase = marketplace.buy("demo-consumption", events_included=100)
        silent = marketplace.buy("demo-contract", seats=5)
        marketplace.catch_up()
        world = World(aws, deploy(aws, tally), marketplace, tally)
        try:
            walk_through(world, purchase, silent, hour)
        finally:
            if tally.failed or sys.exc_info()[0]:
                logs.tell(world)
        removal.remove_staging(world)
        removal.remove_production(world)
    print(f"{time.monotonic() - begun:.0f} seconds")
    tally.close()


if __name__ == "__main__":
    main()
