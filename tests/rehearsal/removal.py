"""What stays when a stack is removed: nothing of staging, and of production what must be kept."""

import stack as stacks


def remove_staging(rehearsal):
    status = rehearsal.stack.remove()
    rehearsal.check("staging is removed", status == "DELETE_COMPLETE", rehearsal.stack.failures())
    left = kept(rehearsal.aws)
    rehearsal.check("and leaves nothing", not left, left)


def remove_production(rehearsal):
    production = stacks.deploy(rehearsal.aws, "production")
    status = production.wait()
    rehearsal.check("production is deployed", status == "CREATE_COMPLETE", production.failures())
    must_stay = {production.outputs()["TableName"], production.outputs()["AuditLogGroup"]}
    table = rehearsal.table.describe_table(TableName=production.outputs()["TableName"])["Table"]
    rehearsal.check("its table is protected", table["DeletionProtectionEnabled"], table)
    status = production.remove()
    rehearsal.check("production is removed", status == "DELETE_COMPLETE", production.failures())
    left = kept(rehearsal.aws)
    rehearsal.check("its table and its audit log are kept", left == must_stay, left)


def kept(aws):
    """The tables, logs, functions and topics that there are."""
    tables = aws.client("dynamodb").list_tables()["TableNames"]
    groups = [group["logGroupName"] for group in aws.client("logs").describe_log_groups()["logGroups"]]
    functions = [function["FunctionName"] for function in aws.client("lambda").list_functions()["Functions"]]
    topics = [topic["TopicArn"] for topic in aws.client("sns").list_topics()["Topics"]]
    return {*tables, *groups, *functions, *topics}
