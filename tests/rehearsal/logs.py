"""What a stack's functions wrote, as CloudWatch has it."""

# Groups that nothing is written to here: ministack has no access logs, and its pipes do not reach a log group.
UNWRITTEN = {"ApiLog", "AuditLog"}


def of(rehearsal, name):
    """The lines of a log group."""
    pages = (
        rehearsal.aws.client("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName=rehearsal.stack.name_of(name))
    )
    return [event["message"].rstrip() for page in pages for event in page["events"]]


def of_functions(rehearsal):
    """The lines of each function's log group."""
    groups = [name for name, (kind, _) in rehearsal.stack.resources().items() if kind == "AWS::Logs::LogGroup"]
    return {name: of(rehearsal, name) for name in groups if name not in UNWRITTEN}


def print_all(rehearsal):
    """Prints the logs, after a failed check."""
    for name, lines in of_functions(rehearsal).items():
        print(f"--- {name}", *lines[-60:], sep="\n")
    print("--- ministack", rehearsal.aws.output()[-10_000:], sep="\n")
