"""The sandbox's AWS Marketplace, asked by boto3: python tests/wire/check_boto3.py (needs boto3)."""

import datetime
import json
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


def operator_calls(sandbox, tally):
    caller = boto3.client("sts").get_caller_identity()
    tally.check("GetCallerIdentity says who", caller["Arn"].endswith(":user/AKIAEXAMPLE"), caller)
    cloudformation = boto3.client("cloudformation")
    (stack,) = cloudformation.describe_stacks(StackName="stallkeeper-staging")["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    tally.check("DescribeStacks has the outputs", outputs["ApiUrl"] == sandbox.url, stack)
    missing = code_of(lambda: cloudformation.describe_stacks(StackName="other"))
    tally.check("another stack is not there", missing == "ValidationError", missing)
    resource = cloudformation.describe_stack_resource(
        StackName="stallkeeper-staging", LogicalResourceId="ReconcileFunction"
    )
    function = resource["StackResourceDetail"]["PhysicalResourceId"]
    aws_lambda = boto3.client("lambda")
    allowed = aws_lambda.invoke(FunctionName=function, InvocationType="DryRun")["StatusCode"]
    tally.check("Invoke tells whether one may", allowed == 204, allowed)
    report = json.load(aws_lambda.invoke(FunctionName=function, Payload=b'{"restart": true}')["Payload"])
    tally.check("Invoke reconciles", report["licenses"] > 0 and not report["unfinished"], report)
    unknown = code_of(lambda: aws_lambda.invoke(FunctionName="other"))
    tally.check("another function is not there", unknown == "ResourceNotFoundException", unknown)

    sandbox.call("POST", "/sandbox/deliver", {"message": "nothing that anybody can read"})
    sandbox.call("POST", "/sandbox/clock", {"advance": "30m"})
    sqs, dead = boto3.client("sqs"), outputs["MarketplaceEventsDeadLettersUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["All"])["Attributes"]
    tally.check("GetQueueAttributes counts dead letters", attributes["ApproximateNumberOfMessages"] == "1", attributes)
    (message,) = sqs.receive_message(QueueUrl=dead, VisibilityTimeout=0, AttributeNames=["All"])["Messages"]
    tally.check("ReceiveMessage shows them", message["Body"].startswith("nothing"), message)
    tally.check("and since when they wait", message["Attributes"]["SentTimestamp"].isdigit(), message)
    sqs.start_message_move_task(SourceArn=attributes["QueueArn"])
    (task,) = sqs.list_message_move_tasks(SourceArn=attributes["QueueArn"])["Results"]
    moved = (task["Status"], task["ApproximateNumberOfMessagesMoved"])
    tally.check("StartMessageMoveTask moves them", moved == ("COMPLETED", 1), task)
    unknown = code_of(lambda: sqs.get_queue_attributes(QueueUrl=f"{dead}-other"))
    tally.check("another queue is not there", "QueueDoesNotExist" in unknown or "NonExistentQueue" in unknown, unknown)


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

        subscribed = sandbox.call("POST", "/sandbox/purchases", {"product": "demo-subscription", "register": False})
        sandbox.call("POST", "/sandbox/clock", {"advance": "2m"})
        now = sandbox.call("GET", "/sandbox/clock")["now"]
        record = {
            "Timestamp": datetime.datetime.fromisoformat(now[:19] + "+00:00"),
            "Dimension": "requests",
            "CustomerAWSAccountId": subscribed["account_id"],
            "LicenseArn": subscribed["license_arn"],
        }

        def meter(**quantity):
            answer = metering.batch_meter_usage(UsageRecords=[record | quantity])
            (result,) = answer["Results"]
            return result["Status"], result.get("MeteringRecordId")

        first = meter(Quantity=17)
        tally.check("BatchMeterUsage books usage", first[0] == "Success" and first[1], first)
        again = meter(Quantity=17)
        tally.check("an identical repeat is the same record", again == first, again)
        if "QuantityAsDecimal" in metering.meta.service_model.shape_for("UsageRecord").members:
            decimal = meter(QuantityAsDecimal="17.00")
            tally.check("17.00 is 17", decimal == first, decimal)
        other = meter(Quantity=18)
        tally.check("another quantity is a duplicate", other == ("DuplicateRecord", None), other)
        sandbox.call("POST", "/sandbox/behavior", {"identical_repeat": "duplicate_record"})
        repeated = meter(Quantity=17)
        tally.check("a repeat is a duplicate with the other behavior", repeated == ("DuplicateRecord", None), repeated)
        bad = code_of(lambda: metering.batch_meter_usage(UsageRecords=[record | {"Dimension": "Requests"}]))
        tally.check("an unknown dimension is refused", bad == "InvalidUsageDimensionException", bad)
        bill = sandbox.call("GET", "/sandbox/bill?product=demo-subscription")
        billed = [(it["license"], it["dimension"], it["quantity"]) for it in bill["records"]]
        tally.check("the bill shows it once", billed == [(subscribed["license"], "requests", "17")], bill)
        tally.check("and its sum", [it["quantity"] for it in bill["totals"]] == ["17"], bill)

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

        catalog = boto3.client("marketplace-catalog")
        entity = {"Catalog": "AWSMarketplace", "EntityId": "prod-democontract01"}
        described = catalog.describe_entity(**entity)
        title = described["DetailsDocument"]["Description"]["ProductTitle"]
        tally.check("DescribeEntity has its details", title == "Demo Contract", described)
        product = {"Type": "SaaSProduct@1.0", "Identifier": "prod-democontract01"}

        def rename(name):
            change = {"ChangeType": "UpdateInformation", "Entity": product, "DetailsDocument": {"ProductTitle": name}}
            return catalog.start_change_set(Catalog="AWSMarketplace", ChangeSet=[change])["ChangeSetId"]

        started = rename("Harbor")
        followed = catalog.describe_change_set(Catalog="AWSMarketplace", ChangeSetId=started)
        tally.check("StartChangeSet is followed to its end", followed["Status"] == "SUCCEEDED", followed)
        renamed = catalog.describe_entity(**entity)["DetailsDocument"]["Description"]["ProductTitle"]
        tally.check("and has changed the product", renamed == "Harbor", renamed)
        too_long = code_of(lambda: rename("x" * 73))
        tally.check("a title that is too long is refused", too_long == "ValidationException", too_long)
        entities = catalog.list_entities(Catalog="AWSMarketplace", EntityType="Offer")["EntitySummaryList"]
        tally.check("ListEntities has an offer of each listing", len(entities) == 5, entities)
        sandbox.call("POST", "/sandbox/change-sets", {"next": "hang_preparing"})
        hanging = rename("Pier")
        cancelled = catalog.cancel_change_set(Catalog="AWSMarketplace", ChangeSetId=hanging)["ChangeSetId"]
        tally.check("CancelChangeSet cancels", cancelled == hanging, cancelled)

        tables = boto3.client("dynamodb").list_tables()["TableNames"]
        tally.check("DynamoDB is there too", "stallkeeper-staging" in tables, tables)

        operator_calls(sandbox, tally)

        sandbox.call("POST", "/sandbox/faults", {"service": "metering", "operation": "ResolveCustomer", "times": 9, "kind": "throttle"})
        throttled = code_of(lambda: metering.resolve_customer(RegistrationToken=purchase["token"]))
        tally.check("a planned throttle is one", throttled == "ThrottlingException", throttled)
    tally.close()


if __name__ == "__main__":
    main()
