"""The sandbox's AWS Marketplace, asked by boto3: python tests/wire/check_boto3.py (needs boto3)."""

import datetime
import os

import boto3
import botocore
from botocore.exceptions import ClientError
from running_sandbox import Tally, running_sandbox


def code_of(call):
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def main():
    tally = Tally()
    print(f"boto3 {boto3.__version__}, botocore {botocore.__version__}")
    with running_sandbox() as sandbox:
        os.environ.clear()
        os.environ.update(sandbox.environment())
        purchase = sandbox.call(
            "POST",
            "/sandbox/purchases",
            {"product": "demo-contract", "dimensions": {"seats": 5, "projects": 2}, "register": False},
        )
        sandbox.call("POST", "/sandbox/clock", {"advance": "2m"})

        metering = boto3.client("meteringmarketplace")
        resolved = metering.resolve_customer(RegistrationToken=purchase["token"])
        tally.check("ResolveCustomer names the license", resolved["LicenseArn"] == purchase["license_arn"], resolved)
        tally.check("and the account", resolved["CustomerAWSAccountId"] == purchase["account_id"], resolved)
        tally.check("and no customer identifier", not resolved.get("CustomerIdentifier"), resolved)
        forged = code_of(lambda: metering.resolve_customer(RegistrationToken="forged"))
        tally.check("a forged token is invalid", forged == "InvalidTokenException", forged)

        entitlement = boto3.client("marketplace-entitlement")
        pages = entitlement.get_paginator("get_entitlements").paginate(
            ProductCode=purchase["product_code"],
            Filter={"LICENSE_ARN": [purchase["license_arn"]]},
            PaginationConfig={"PageSize": 1},
        )
        found = {e["Dimension"]: e for page in pages for e in page["Entitlements"]}
        tally.check("GetEntitlements pages through", set(found) == {"seats", "projects"}, found)
        tally.check("values are typed", found["seats"]["Value"] == {"IntegerValue": 5}, found)
        expires = found["seats"]["ExpirationDate"]
        tally.check("dates are dates", isinstance(expires, datetime.datetime), expires)
        both = {"CUSTOMER_IDENTIFIER": ["x"], "CUSTOMER_AWS_ACCOUNT_ID": [purchase["account_id"]]}
        wrong = code_of(lambda: entitlement.get_entitlements(ProductCode=purchase["product_code"], Filter=both))
        tally.check("two customer filters are refused", wrong == "InvalidParameterException", wrong)

        agreement = boto3.client("marketplace-agreement")
        described = agreement.describe_agreement(agreementId=purchase["agreement_id"])
        tally.check("DescribeAgreement: active", described["status"] == "ACTIVE", described)
        tally.check("and its acceptor", described["acceptor"]["accountId"] == purchase["account_id"], described)
        tally.check("and its start", isinstance(described["startTime"], datetime.datetime), described)
        terms = agreement.get_agreement_terms(agreementId=purchase["agreement_id"])["acceptedTerms"]
        tally.check("GetAgreementTerms has terms", len(terms) > 0, terms)
        searched = agreement.search_agreements(
            catalog="AWSMarketplace",
            filters=[
                {"name": "PartyType", "values": ["Proposer"]},
                {"name": "AgreementType", "values": ["PurchaseAgreement"]},
            ],
        )["agreementViewSummaries"]
        ids = [summary["agreementId"] for summary in searched]
        tally.check("SearchAgreements finds it", purchase["agreement_id"] in ids, ids)
        unknown = code_of(lambda: agreement.describe_agreement(agreementId="agmt-unknown"))
        tally.check("an unknown agreement is not found", unknown == "ResourceNotFoundException", unknown)

        tables = boto3.client("dynamodb").list_tables()["TableNames"]
        tally.check("DynamoDB is there too", "stallkeeper-staging" in tables, tables)

        sandbox.call("POST", "/sandbox/faults", {"service": "metering", "operation": "ResolveCustomer", "times": 9, "kind": "throttle"})
        throttled = code_of(lambda: metering.resolve_customer(RegistrationToken=purchase["token"]))
        tally.check("a planned throttle is one", throttled == "ThrottlingException", throttled)
    tally.close()


if __name__ == "__main__":
    main()
