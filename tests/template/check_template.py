"""The template, the metrics and docs/OPERATIONS.md say the same, and nothing that can fail goes unheard:
python tests/template/check_template.py (needs aws-sam-translator, which comes with aws-sam-cli)."""

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from sam import source

ROOT = Path(__file__).parents[2]
TEMPLATE = source()
OPERATIONS = (ROOT / "docs/OPERATIONS.md").read_text()
METERING = (ROOT / "docs/METERING.md").read_text()
METRICS = (ROOT / "shared/lambda/src/metrics.rs").read_text()
FUNCTIONS = "".join(path.read_text() for path in ROOT.glob("functions/*/src/**/*.rs"))

# What the functions count, and what becomes a metric of their logs.
OURS = "Stallkeeper"
OF_LOGS = {"Fn::Sub": "Stallkeeper/${AWS::StackName}"}


def main():
    problems = []
    checks = [
        alarms_have_sections,
        alarms_say_what_is_wrong,
        problems_of_the_bill_have_alarms,
        metrics_exist,
        dimensions_are_what_is_written,
        every_alarm_and_metric_is_on_the_dashboard,
        the_auditor_knows_every_alarm,
        asynchronous_ways_have_dead_letters,
        senders_may_fill_dead_letters,
        dead_letters_have_alarms,
        functions_have_alarms,
        functions_have_logs,
        staging_goes_and_production_stays,
        commands_name_what_is_there,
        the_dry_run_is_compared_with_what_was_booked,
        the_version_is_ours,
    ]
    for check in checks:
        found = [f"{check.__name__}: {problem}" for problem in check()]
        print(f"{'wrong' if found else 'ok   '} {check.__name__.replace('_', ' ')}")
        problems += found
    print(*problems, sep="\n")
    sys.exit(1 if problems else 0)


def of_type(kind):
    return {name: part for name, part in TEMPLATE["Resources"].items() if part["Type"] == kind}


def properties(name):
    return TEMPLATE["Resources"][name]["Properties"]


def named(value):
    """The part of the template that a !Ref or !GetAtt names; none of anything else."""
    if isinstance(value, dict) and len(value) == 1:
        kind, target = next(iter(value.items()))
        if kind == "Ref":
            return target
        if kind == "Fn::GetAtt":
            return target[0] if isinstance(target, list) else target.split(".")[0]
    return None


ALARMS = of_type("AWS::CloudWatch::Alarm")
FUNCTION_NAMES = of_type("AWS::Serverless::Function")
COUNTED = set(re.findall(r'^    (\w+) in "\w+",$', METRICS, re.MULTILINE))
OF_FILTERS = {
    transformation["MetricName"]: part["Properties"]
    for part in of_type("AWS::Logs::MetricFilter").values()
    for transformation in part["Properties"]["MetricTransformations"]
}


def sections():
    """The alarms that OPERATIONS.md has a section for, or a row in the table of one."""
    of_headings = re.findall(r"^### (\w+Alarm)$", OPERATIONS, re.MULTILINE)
    rows = re.findall(r"^\| (`\w+Alarm`(?:, `\w+Alarm`)*) \|", OPERATIONS, re.MULTILINE)
    return of_headings + [name for row in rows for name in re.findall(r"\w+", row)]


def alarms_have_sections():
    told = Counter(sections())
    yield from (f"{name} has no section in OPERATIONS.md" for name in ALARMS.keys() - told.keys())
    yield from (f"OPERATIONS.md has {name} more than once" for name, times in told.items() if times > 1)
    mentioned = set(re.findall(r"\w+Alarm\b", OPERATIONS))
    yield from (f"OPERATIONS.md tells of {name}, which is no alarm" for name in mentioned - ALARMS.keys())
    for section in re.split(r"^### ", OPERATIONS, flags=re.MULTILINE)[1:]:
        name = section.split("\n", 1)[0]
        if name.endswith("Alarm") or name in ("Errors", "Throttles"):
            lacks = [part for part in ("What it means", "Check", "Fix") if f"- **{part}:**" not in section]
            yield from (f"the section {name} has no {part}" for part in lacks)


def alarms_say_what_is_wrong():
    for name, alarm in ALARMS.items():
        told = alarm["Properties"]
        if not re.fullmatch(rf"[A-Z][^.]+\. docs/OPERATIONS\.md: {name}", told["AlarmDescription"]):
            yield f"{name} is not described by one sentence and its section"
        if told["AlarmActions"] != [{"Ref": "AlarmTopic"}]:
            yield f"{name} tells nobody"
        if told.get("OKActions", told["AlarmActions"]) != told["AlarmActions"]:
            yield f"{name} tells others when it is over"
        if "TreatMissingData" not in told:
            yield f"{name} does not say what a missing metric means"
        if told["Period"] * told["EvaluationPeriods"] > 86400:
            yield f"{name} looks back for longer than CloudWatch does"


def problems_of_the_bill_have_alarms():
    kinds = re.findall(r"^\| `(\w+)` \|", METERING.split("## What an operator does")[1].split("\n## ")[0], re.MULTILINE)
    if not kinds:
        yield "METERING.md names no kinds of problems"
    # A booking that may be another's counts as a conflict. A reused key is the application's mistake, and is listed only.
    alarms = {"unverified": "Conflict", "key_reused": None}
    for kind in kinds:
        alarm = alarms.get(kind, kind.capitalize())
        if alarm and not any(name.startswith(alarm) for name in ALARMS):
            yield f"{kind} has no alarm"


def widgets():
    """The dashboard's widgets, and the dimensions of the stack's own metrics in both kinds of it."""
    body, variables = properties("Dashboard")["DashboardBody"]["Fn::Sub"]
    _, *kinds = variables["Where"]["Fn::If"]
    for kind in kinds:
        yield json.loads(body.replace("${Where}", kind["Fn::Sub"]))["widgets"], json.loads(f"[{kind['Fn::Sub']}]")


def on_dashboard():
    """What the dashboard shows of the stack's own metrics and of those of logs."""
    for shown, _ in widgets():
        for widget in shown:
            yield from (tuple(metric[:2]) for metric in widget["properties"].get("metrics", []))


def metrics_exist():
    told = {name: alarm["Properties"] for name, alarm in ALARMS.items()}
    used = [(alarm["Namespace"], alarm["MetricName"], name) for name, alarm in told.items()]
    used += [(space, metric, "the dashboard") for space, metric in on_dashboard()]
    for space, metric, user in used:
        if space == OURS and metric not in COUNTED:
            yield f"{user} looks at {metric}, which metrics.rs does not have"
        if space in (OF_LOGS, OF_LOGS["Fn::Sub"]) and metric not in OF_FILTERS:
            yield f"{user} looks at {metric}, which no filter of a log counts"
    for metric, told in OF_FILTERS.items():
        if [part["MetricNamespace"] for part in told["MetricTransformations"]] != [OF_LOGS]:
            yield f"{metric} is not counted for this stack alone"
        for counter in re.findall(r'\$\.fields\.counter = "(\w+)"', told["FilterPattern"]):
            if f'counter = "{counter}"' not in FUNCTIONS:
                yield f"{metric} counts {counter}, which no function tells"
        for field in re.findall(r"\$\.(\w+) ", told["FilterPattern"]):
            if named(told["LogGroupName"]) == "ApiLog" and f'"{field}"' not in str(access_log()):
                yield f"{metric} reads {field}, which the access log does not have"


def access_log():
    return properties("Api")["AccessLogSettings"]["Format"]


def dimensions_are_what_is_written():
    written = set(re.findall(r'"(\w+)"', re.search(r"let dimensions = (.*);", METRICS).group(1)))
    dry_run = {"Fn::If": ["IsDryRun", {"Name": "Reporter", "Value": "dry_run"}, {"Ref": "AWS::NoValue"}]}
    expected = [{"Name": "Stage", "Value": {"Ref": "Stage"}}, dry_run]
    if written != {"Stage", "Reporter"} or '"Reporter".to_owned(), Value::from("dry_run")' not in METRICS:
        yield f"metrics.rs writes other dimensions than this check knows: {written}"
    for name, alarm in ALARMS.items():
        if alarm["Properties"]["Namespace"] == OURS and alarm["Properties"]["Dimensions"] != expected:
            yield f"{name} does not look at Stage, and at Reporter in a dry run"
    for shown, where in widgets():
        for metric in (metric for widget in shown for metric in widget["properties"].get("metrics", [])):
            if metric[0] == OURS and [part for part in metric[2:] if isinstance(part, str)] != where:
                yield f"the dashboard looks for {metric[1]} elsewhere"


def every_alarm_and_metric_is_on_the_dashboard():
    for shown, _ in widgets():
        alarms = str([widget["properties"]["alarms"] for widget in shown if widget["type"] == "alarm"])
        told = set(re.findall(r"\$\{(\w+)\.Arn\}", alarms))
        yield from (f"{name} is not on the dashboard" for name in ALARMS.keys() - told)
        yield from (f"the dashboard has {name}, which is no alarm" for name in told - ALARMS.keys())
        headings = [widget["properties"]["markdown"] for widget in shown if widget["type"] == "text"]
        words = [re.match(r"# (\w+):", heading).group(1).lower() for heading in headings]
        if words != ["buyers", "events", "usage", "billing", "health"]:
            yield f"the dashboard has other sections: {words}"
    told = set(on_dashboard())
    ours = [(OURS, metric) for metric in COUNTED] + [(OF_LOGS["Fn::Sub"], metric) for metric in OF_FILTERS]
    yield from (f"{metric} is not on the dashboard" for space, metric in ours if (space, metric) not in told)


def the_auditor_knows_every_alarm():
    """What it is not told of, it does not miss. It is told by literal ids: alarms on its function refer to it already."""
    text = properties("ReadinessFunction")["Environment"]["Variables"]["DEPLOYMENT"]["Fn::Sub"][0]
    told = json.loads(re.search(r'"alarms": (\[[^]]*\])', text).group(1))
    yield from (f"the auditor is not told of {name}" for name in ALARMS.keys() - set(told))
    yield from (f"the auditor is told of {name}, which is no alarm" for name in set(told) - ALARMS.keys())
    yield from (f"the auditor is told of {name} more than once" for name, times in Counter(told).items() if times > 1)
    yield from (f"{name} is not there under some condition" for name in ALARMS if "Condition" in TEMPLATE["Resources"][name])


def ways():
    """Every asynchronous way, and the queue of what is lost on it."""
    for name, rule in of_type("AWS::Events::Rule").items():
        for target in rule["Properties"]["Targets"]:
            yield name, named(target.get("DeadLetterConfig", {}).get("Arn"))
    for name, schedule in of_type("AWS::Scheduler::Schedule").items():
        target = schedule["Properties"]["Target"]
        yield name, named(target.get("DeadLetterConfig", {}).get("Arn"))
        # The schedule hands the event over; what becomes of it is the function's own asynchronous way.
        invoked = [
            config["Properties"]
            for config in of_type("AWS::Lambda::EventInvokeConfig").values()
            if named(config["Properties"]["FunctionName"]) == named(target["Arn"])
        ]
        of_function = invoked[0].get("DestinationConfig", {}).get("OnFailure", {}) if invoked else {}
        yield named(target["Arn"]), named(of_function.get("Destination"))
    for name, subscription in of_type("AWS::SNS::Subscription").items():
        if subscription["Properties"]["Protocol"] != "email":
            yield name, named(subscription["Properties"].get("RedrivePolicy", {}).get("deadLetterTargetArn"))
    for name, mapping in of_type("AWS::Lambda::EventSourceMapping").items():
        source = named(mapping["Properties"]["EventSourceArn"])
        if source in of_type("AWS::SQS::Queue"):
            yield source, named(properties(source).get("RedrivePolicy", {}).get("deadLetterTargetArn"))
        else:
            on_failure = mapping["Properties"].get("DestinationConfig", {}).get("OnFailure", {})
            yield name, named(on_failure.get("Destination"))
    for name, pipe in of_type("AWS::Pipes::Pipe").items():
        (source,) = pipe["Properties"]["SourceParameters"].keys() - {"FilterCriteria"}
        yield name, named(pipe["Properties"]["SourceParameters"][source].get("DeadLetterConfig", {}).get("Arn"))


def asynchronous_ways_have_dead_letters():
    yield from (f"{way} has no dead letters" for way, queue in ways() if queue not in of_type("AWS::SQS::Queue"))


def senders_may_fill_dead_letters():
    """EventBridge and SNS send by the queue's policy, and by nothing else."""
    allowed = set()
    for policy in of_type("AWS::SQS::QueuePolicy").values():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            statement = statement["Fn::If"][1] if "Fn::If" in statement else statement
            resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
            (source,) = statement["Condition"]["ArnEquals"].values()
            allowed |= {(named(source), named(resource)) for resource in resources}
    for way, queue in ways():
        kind = TEMPLATE["Resources"][way]["Type"]
        sender = named(properties(way)["TopicArn"]) if kind == "AWS::SNS::Subscription" else way
        if kind in ("AWS::SNS::Subscription", "AWS::Events::Rule") and (sender, queue) not in allowed:
            yield f"{sender} may not send to {queue}"


def watched(space, metric, dimension):
    """What alarms watch by a dimension."""
    for alarm in ALARMS.values():
        told = alarm["Properties"]
        if (told["Namespace"], told["MetricName"]) == (space, metric):
            yield from (named(part["Value"]) for part in told["Dimensions"] if part["Name"] == dimension)


def dead_letters_have_alarms():
    queues = {queue for _, queue in ways() if queue}
    queues |= {name for name in of_type("AWS::SQS::Queue") if "DeadLetter" in name}
    told = set(watched("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName"))
    yield from (f"nobody hears of {queue}" for queue in queues - told)
    urls = {named(output["Value"]) for output in TEMPLATE["Outputs"].values()}
    yield from (f"no output names {queue}" for queue in queues - urls)
    rows = set(re.findall(r"^\| `(\w+)` \|", OPERATIONS.split("## Dead letters")[1].split("\n## ")[0], re.MULTILINE))
    yield from (f"OPERATIONS.md does not say what becomes of {queue}" for queue in queues ^ rows)


def functions_have_alarms():
    for metric in ("Errors", "Throttles"):
        told = set(watched("AWS/Lambda", metric, "FunctionName"))
        yield from (f"nobody hears of {metric} of {name}" for name in FUNCTION_NAMES.keys() - told)


def functions_have_logs():
    groups = Counter(named(part["Properties"]["LoggingConfig"]["LogGroup"]) for part in FUNCTION_NAMES.values())
    yield from (f"{times} functions share {group}" for group, times in groups.items() if times > 1)
    yield from (f"{group} is no log group" for group in groups if group not in of_type("AWS::Logs::LogGroup"))
    for name, group in of_type("AWS::Logs::LogGroup").items():
        expected = 400 if name == "AuditLog" else {"Fn::If": ["IsProduction", 400, 14]}
        if group["Properties"].get("RetentionInDays") != expected:
            yield f"{name} is not kept for its time"
    if TEMPLATE["Globals"]["Function"].get("Tracing") != "Active":
        yield "X-Ray is off"
    if re.search(r"\$context\.(path|identity|authorizer)|querystring|header", str(access_log()), re.IGNORECASE):
        yield "the access log holds more than routes"


def staging_goes_and_production_stays():
    by_stage = {"Fn::If": ["IsProduction", "Retain", "Delete"]}
    for name in ("Table", "AuditLog", "AuditLogStream"):
        part = TEMPLATE["Resources"][name]
        if part.get("DeletionPolicy") != by_stage or part.get("UpdateReplacePolicy") != by_stage:
            yield f"{name} does not stay in production and go in staging"
    others = [name for name, part in TEMPLATE["Resources"].items() if "DeletionPolicy" in part]
    if sorted(others) != ["AuditLog", "AuditLogStream", "Table"]:
        yield f"OPERATIONS.md says what production keeps, and the template keeps something else: {others}"
    if properties("Table")["DeletionProtectionEnabled"] != {"Fn::If": ["IsProduction", True, False]}:
        yield "production's table is not protected"


def commands_name_what_is_there():
    outputs = set(re.findall(r"\boutput ([A-Z]\w+)", OPERATIONS))
    yield from (f"there is no output {name}" for name in outputs - TEMPLATE["Outputs"].keys())
    parts = set(re.findall(r"\b(?:resource|log|peek|purge) ([A-Z]\w+)", OPERATIONS))
    parts |= {name for pair in re.findall(r"\bredrive (\w+) (\w+)", OPERATIONS) for name in pair}
    yield from (f"there is no {name} in the template" for name in parts - TEMPLATE["Resources"].keys())
    parameters = set(re.findall(r"\b([A-Z]\w+)=[\"\w]", "".join(re.findall(r"--parameter-overrides (.*)", OPERATIONS))))
    yield from (f"there is no parameter {name}" for name in parameters - TEMPLATE["Parameters"].keys())
    if not parts or not parameters:
        yield "OPERATIONS.md has no commands any more"


def the_dry_run_is_compared_with_what_was_booked():
    """The program of OPERATIONS.md, on lines as the reporter writes them."""
    program = re.search(r"```python file=compare_records.py\n(.*?)```", OPERATIONS, re.DOTALL).group(1)

    def finished(state, license, hour, quantity):
        fields = {"message": "Finished a record", "license": license, "hour": hour, "dimension": "requests"}
        return {"fields": {**fields, "quantity": quantity, "attempts": 1, "state": state}}

    def carried(license, hour, into, amount):
        fields = {"message": "Carried usage to another hour", "license": license, "hour": hour, "dimension": "requests"}
        return {"fields": {**fields, "amount": amount, "into": into}}

    before = [
        finished("accepted", "l-same", "2026-11-10T13", "5"),
        # What came late to 13 was carried into 14, and booked there.
        carried("l-twice", "2026-11-10T13", "2026-11-10T14", "10"),
        finished("accepted", "l-twice", "2026-11-10T14", "17"),
        # The same, and in the restored table it is in time for 13.
        finished("accepted", "l-moved", "2026-11-10T13", "100"),
        finished("accepted", "l-moved", "2026-11-10T14", "10.5"),
        finished("accepted", "l-less", "2026-11-10T13", "1"),
        finished("accepted", "l-lost", "2026-11-10T13", "3"),
    ]
    dry = [
        finished("dry_run", "l-same", "2026-11-10T13", "5.0"),
        finished("dry_run", "l-same", "2026-11-10T14", "6"),
        carried("l-twice", "2026-11-10T13", "2026-11-10T17", "10"),
        finished("dry_run", "l-twice", "2026-11-10T14", "7"),
        finished("dry_run", "l-twice", "2026-11-10T15", "2"),
        finished("dry_run", "l-moved", "2026-11-10T13", "110.5"),
        finished("dry_run", "l-moved", "2026-11-10T14", "0"),
        finished("dry_run", "l-less", "2026-11-10T13", "4"),
    ]
    expected = [
        "less l-less requests: AWS has 3 less",
        "more l-lost requests: AWS has 3 more. Carried: nothing",
        "requeue l-same@2026-11-10T14@requests 6",
        "check l-twice@2026-11-10T15@requests 2",
        "more l-twice requests: AWS has 10 more. Carried: 10 from 2026-11-10T13 into 2026-11-10T17",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name, lines in (("before.jsonl", before), ("dry.jsonl", dry)):
            # As the AWS CLI writes them: each with its own end of line and the CLI's.
            Path(folder, name).write_text("".join(json.dumps(line) + "\n\n" for line in lines))
        run = [sys.executable, "-c", program, "before.jsonl", "dry.jsonl"]
        answer = subprocess.run(run, cwd=folder, capture_output=True, text=True, check=False)
    if answer.stdout.splitlines() != expected:
        yield f"compare_records.py says:\n{answer.stdout}{answer.stderr}"


def the_version_is_ours():
    (ours,) = re.findall(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    told = TEMPLATE["Outputs"]["Version"]["Value"]
    if told != ours:
        yield f"the output Version is {told}, and this is {ours}"


main()
