"""The sandbox's AWS Marketplace, asked by the AWS CLI: python tests/wire/check_awscli.py (needs `aws` on the path,
or its place in AWS_CLI)."""

import json
import os
import subprocess

from running_sandbox import Tally, running_sandbox

AWS = os.environ.get("AWS_CLI", "aws")


class Refused(str):
    """What the AWS CLI says as it fails. It has no members, so a check that looks for one fails by that text."""

    def __getitem__(self, member):
        return self


def main():
    tally = Tally()
    print(subprocess.run([AWS, "--version"], capture_output=True, text=True, check=True).stdout.strip())
    with running_sandbox() as sandbox:

        def aws(*arguments):
            run = subprocess.run(
                [AWS, *arguments, "--output", "json"],
                capture_output=True,
                text=True,
                env=sandbox.environment(),
                timeout=120,
            )
            if run.returncode == 0:
                return json.loads(run.stdout)
            # Some are expected to fail; where one is not, this says why.
            print(f"aws {' '.join(arguments[:2])}: {run.stderr.strip()}")
            return Refused(run.stderr)

        purchase = sandbox.call(
            "POST", "/sandbox/purchases", {"product": "demo-contract", "dimensions": {"seats": 5}, "register": False}
        )
        sandbox.call("POST", "/sandbox/clock", {"advance": "2m"})

        resolved = aws("meteringmarketplace", "resolve-customer", "--registration-token", purchase["token"])
        tally.check("resolve-customer", resolved["LicenseArn"] == purchase["license_arn"], resolved)
        refused = aws("meteringmarketplace", "resolve-customer", "--registration-token", "forged")
        tally.check("resolve-customer, forged", "InvalidTokenException" in refused, refused)
        subscribed = sandbox.call("POST", "/sandbox/purchases", {"product": "demo-subscription", "register": False})
        sandbox.call("POST", "/sandbox/clock", {"advance": "2m"})
        record = {
            "Timestamp": sandbox.call("GET", "/sandbox/clock")["now"][:19] + "Z",
            "Dimension": "requests",
            "CustomerAWSAccountId": subscribed["account_id"],
            "LicenseArn": subscribed["license_arn"],
        }

        def meter(**members):
            return aws("meteringmarketplace", "batch-meter-usage", "--usage-records", json.dumps([record | members]))

        first = meter(Quantity=17)["Results"][0]
        tally.check("batch-meter-usage", first["Status"] == "Success" and first["MeteringRecordId"], first)
        again = meter(Quantity=17)["Results"][0]
        tally.check("batch-meter-usage, repeated", again["MeteringRecordId"] == first["MeteringRecordId"], again)
        other = meter(Quantity=18)["Results"][0]
        tally.check("batch-meter-usage, another quantity", other["Status"] == "DuplicateRecord", other)
        wrong = meter(Dimension="Requests")
        tally.check("batch-meter-usage, no dimension", "InvalidUsageDimensionException" in wrong, wrong)
        bill = sandbox.call("GET", "/sandbox/bill")
        tally.check("the bill", [it["quantity"] for it in bill["records"]] == ["17"], bill)

        found = aws(
            "marketplace-entitlement",
            "get-entitlements",
            "--product-code",
            purchase["product_code"],
            "--filter",
            json.dumps({"LICENSE_ARN": [purchase["license_arn"]]}),
        )["Entitlements"]
        tally.check("get-entitlements", found[0]["Value"] == {"IntegerValue": 5}, found)
        described = aws("marketplace-agreement", "describe-agreement", "--agreement-id", purchase["agreement_id"])
        tally.check("describe-agreement", described["status"] == "ACTIVE", described)
        unknown = aws("marketplace-agreement", "describe-agreement", "--agreement-id", "agmt-unknown")
        tally.check("describe-agreement, unknown", "ResourceNotFoundException" in unknown, unknown)
        tables = aws("dynamodb", "list-tables")["TableNames"]
        tally.check("dynamodb list-tables", "stallkeeper-staging" in tables, tables)
    tally.close()


if __name__ == "__main__":
    main()
