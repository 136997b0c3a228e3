"""What a stack's functions wrote, as CloudWatch has it."""

# Groups that nothing is written to here: ministack has no access logs, and its pipes do not reach a log group.
UNWRITTEN = {"ApiLog", "AuditLog"}


def of(world, name):
    """The lines of a log group."""
    pages = world.aws.client("logs").get_paginator("filter_log_events").paginate(logGroupName=world.stack.name_of(name))
    return [event["message"].rstrip() for page in pages for event in page["events"]]


def of_functions(world):
    """The lines of each function's log group."""
    groups = [name for name, (kind, _) in world.stack.resources().items() if kind == "AWS::Logs::LogGroup"]
    return {name: of(world, name) for name in groups if name not in UNWRITTEN}


def tell(world):
    """What helps where a check has failed."""
    for name, lines in of_functions(world).items():
        print(f"--- {name}", *lines[-60:], sep="\n")
    print("--- ministack", world.aws.said()[-10_000:], sep="\n")
