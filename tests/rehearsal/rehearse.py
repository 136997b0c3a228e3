"""The deployment, rehearsed: python tests/rehearsal/rehearse.py (needs ministack, boto3, aws-sam-translator and cbor2, and
`cargo build --workspace --exclude fuzz --bins` before it).

template.yaml is transformed as AWS transforms it and deployed by CloudFormation, with the real binaries, into a local
AWS (ministack), whose IAM is on: what a role or a policy missing_types fails here as it would there. AWS Marketplace is the
sandbox's. Then a buyer goes through all steps. Where ministack differs from AWS, a bridge stands in this folder, with its
reason."""

import datetime
import sys
import time

import logs
import removal
import stack as stacks
import steps
from botocore.exceptions import ClientError
from local_aws import running_local_aws
from marketplace import Marketplace, hour_to_bill, now, text_of
from rehearsal import MAIL_FROM, Rehearsal
from running_sandbox import Tally, running_sandbox


def deploy(aws, tally):
    stacks.upload_code(aws)
    try:
        stacks.deploy(aws, "staging", region="eu-west-1")
        said = "it was not"
    except ClientError as refused:
        said = str(refused)
    tally.check("another region is refused, and the message says why", "us-east-1 only" in said, said)
    stack = stacks.deploy(aws, "staging", MailFrom=MAIL_FROM)
    status = stack.wait()
    tally.check("staging is deployed", status == "CREATE_COMPLETE", stack.failures())
    if tally.failed:
        print(aws.output())
        tally.close()
    return stack


def run_steps(rehearsal, purchase, second_purchase, hour):
    steps.pause_schedules(rehearsal)
    token, code = steps.register(rehearsal, purchase)
    steps.only_signed_calls(rehearsal)
    steps.activate(rehearsal, purchase)
    steps.redeem(rehearsal, purchase, code)
    steps.decide(rehearsal)
    steps.report_usage(rehearsal, purchase, hour)
    steps.bill(rehearsal, purchase, hour)
    steps.published(rehearsal, purchase)
    steps.mailed(rehearsal)
    steps.audited(rehearsal)
    steps.check_readiness(rehearsal, purchase)
    steps.redrive(rehearsal, purchase)
    steps.end(rehearsal, purchase)
    steps.reconcile(rehearsal, second_purchase)
    steps.bill_again(rehearsal, purchase, hour)
    steps.check_logs(rehearsal, ["@example.com", token, code])


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
        second_purchase = marketplace.buy("demo-contract", seats=5)
        marketplace.catch_up()
        rehearsal = Rehearsal(aws, deploy(aws, tally), marketplace, tally)
        try:
            run_steps(rehearsal, purchase, second_purchase, hour)
        finally:
            if tally.failed or sys.exc_info()[0]:
                logs.print_all(rehearsal)
        removal.remove_staging(rehearsal)
        removal.remove_production(rehearsal)
    print(f"{time.monotonic() - begun:.0f} seconds")
    tally.close()


if __name__ == "__main__":
    main()
