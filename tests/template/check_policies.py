"""What each function may do at AWS, held against what was reviewed (actions.toml, beside this) and against what it
asked AWS for in the tests: python tests/template/check_policies.py FOLDER, where SANDBOX_OPERATIONS=FOLDER cargo test
has left its recordings. Needs aws-sam-translator, which says what is deployed, and policy_sentry, which has AWS's
Service Authorization Reference.
"""

import json
import os
import re
import sys
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

os.environ["AWS_DEFAULT_REGION"] = "us-east-1"  # the translator asks for one

from policy_sentry.querying.actions import get_action_data
from sam import source, transformed

# What the sandbox's stacks are called, in the template's words.
TABLE = re.compile(r"table/stallkeeper-(?:staging|production)(?:/index/(\w+))?")
TOPIC = re.compile(r"stallkeeper-(?:staging|production)-events")
RULE = re.compile(r"rule/stallkeeper-(?:staging|production)-marketplace-events")
SCHEDULE = re.compile(r"schedule/default/stallkeeper-(?:staging|production)-(\w+)")
DEAD_LETTERS = re.compile(r"stallkeeper-(?:staging|production)-([\w-]+)-dead-letters")
ACCOUNT = "arn:${{AWS::Partition}}:{}:${{AWS::Region}}:${{AWS::AccountId}}"
IDENTITY = f"{ACCOUNT.format('ses')}:identity/*"
# By its name, as its function could not wait for it.
OWN_SCHEDULE = f"{ACCOUNT.format('scheduler')}:schedule/default/${{AWS::StackName}}-readiness"
# What is asked for by the beginning of its name.
BEGINNINGS = {
    "alarm:*": f"{ACCOUNT.format('cloudwatch')}:alarm:*",
    "log-group:*": f"{ACCOUNT.format('logs')}:log-group:*",
}


class Grant(NamedTuple):
    """One action that a policy allows on one resource."""

    action: str
    resource: str
    condition: str

    def __str__(self):
        return f"{self.action} on {self.resource}" + (f" if {self.condition}" if self.condition else "")


class NotUnderstood(Exception):
    """A policy that says more than actions and resources: write it plainly, or teach this check to read it."""


# What is deployed


def deployed():
    template = source()
    template["Globals"]["Function"]["CodeUri"] = "s3://any/any"  # as `sam deploy` writes it
    return transformed(template, {})["Resources"]


def as_list(value):
    return value if isinstance(value, list) else [value]


def named(resource):
    """A resource in the template's words: `TableInUse.Value`, `${TableInUse.Value}/index/work`."""
    match resource:
        case str(text):
            return text
        case {"Ref": str(name)}:
            return name
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return f"{name}.{attribute}"
        case {"Fn::If": ["IsRestored", {"Ref": "RestoredTableStream"}, own]}:
            return named(own)  # the other is what an operator puts in its place after a restore
        case {"Fn::Sub": str(text)}:
            alone = re.fullmatch(r"\$\{([^}]+)\}", text)
            return alone[1] if alone else text
    raise NotUnderstood(f"the resource {json.dumps(resource)}")


def written(condition):
    return json.dumps(condition, sort_keys=True) if condition else ""


def grants_of(document):
    for statement in as_list(document["Statement"]):
        if statement["Effect"] != "Allow" or "NotAction" in statement or "NotResource" in statement:
            raise NotUnderstood(f"the statement {json.dumps(statement)}")
        for action in as_list(statement["Action"]):
            for resource in as_list(statement["Resource"]):
                yield Grant(action, named(resource), written(statement.get("Condition")))


def functions_of(resources):
    """The grants of each function, by the name of its binary. What the translator adds counts."""
    functions = {}
    for of in resources.values():
        if of["Type"] != "AWS::Lambda::Function":
            continue
        role = named(of["Properties"]["Role"]).removesuffix(".Arn")
        properties = resources[role]["Properties"]
        if properties.get("ManagedPolicyArns"):
            raise NotUnderstood(f"the managed policies of {role}: {json.dumps(properties['ManagedPolicyArns'])}")
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        for other in resources.values():
            if role in [named(of_role) for of_role in as_list(other.get("Properties", {}).get("Roles", []))]:
                documents.append(other["Properties"]["PolicyDocument"])
        grants = [grant for document in documents for grant in grants_of(document)]
        functions[of["Metadata"]["BuildProperties"]["Binary"]] = set(grants)
    return functions


# What was reviewed


def reviewed_of(functions):
    """The reviewed grants of each function, each with its entry of actions.toml."""
    listed = tomllib.loads(Path(__file__).with_name("actions.toml").read_text())
    every = listed.pop("every")
    reviewed = {}
    for function in sorted(functions | listed.keys()):
        entries = listed.get(function, []) + every
        reviewed[function] = {
            Grant(action, resource.replace("{Function}", function.capitalize()), written(entry.get("condition"))): entry
            for entry in entries
            for action in entry["actions"]
            for resource in entry["resources"]
        }
    return reviewed


# What was asked for


def recorded_in(folder):
    """What each function asked for: pairs of an action and a resource in the template's words."""
    recorded = {}
    for path in folder.glob("*.txt"):
        for line in path.read_text().splitlines():
            function, action, resource = line.split(" ")
            recorded.setdefault(function, set()).add((action, in_template(resource)))
    return recorded


def in_template(resource):
    if table := TABLE.fullmatch(resource):
        return f"${{TableInUse.Value}}/index/{table[1]}" if table[1] else "TableInUse.Value"
    if TOPIC.fullmatch(resource):
        return "EventsTopic"
    if RULE.fullmatch(resource):
        return "MarketplaceEventsRule.Arn"
    if schedule := SCHEDULE.fullmatch(resource):
        return OWN_SCHEDULE if schedule[1] == "readiness" else f"{schedule[1].capitalize()}Schedule.Arn"
    if resource in BEGINNINGS:
        return BEGINNINGS[resource]
    if resource.startswith("AWSMarketplace/"):
        return f"{ACCOUNT.format('aws-marketplace')}:{resource}"
    if letters := DEAD_LETTERS.fullmatch(resource):
        return f"{letters[1].title().replace('-', '')}DeadLetters.Arn"
    return IDENTITY if resource == "identity" else resource


def covers(grant, asked):
    action, resource = asked
    return grant.action == action and fnmatchcase(resource, grant.resource)


# What is wrong


def against_the_review(allowed, reviewed):
    for grant in sorted(allowed - reviewed.keys()):
        yield f"may {grant}, which was not reviewed: take it out of template.yaml, or list it in actions.toml"
    for grant in sorted(reviewed.keys() - allowed):
        yield f"may not {grant}, as was reviewed: take it out of actions.toml, or allow it in template.yaml"
    for grant, entry in sorted(reviewed.items()):
        if not entry.get("reason"):
            yield f"may {grant} for no reason: write one"


def against_the_recording(allowed, reviewed, asked):
    if not asked:
        yield "asked for nothing in the tests: was it recorded? (SANDBOX_OPERATIONS=FOLDER cargo test --workspace)"
        return
    for needed in sorted(asked):
        if not any(covers(grant, needed) for grant in allowed):
            yield f"asks for {needed[0]} on {needed[1]}, which its policy lacks: add it to its role in template.yaml"
    for grant in sorted(allowed):
        is_seen = any(covers(grant, needed) for needed in asked)
        unrecorded = reviewed.get(grant, {}).get("unrecorded")
        if not is_seen and not unrecorded:
            yield f"may {grant}, for which no test has it ask: take it out, test it, or say why (`unrecorded`)"
        if is_seen and unrecorded:
            yield f"was seen to ask for {grant}: take `unrecorded` out of its entry"


def against_iam(allowed, reviewed):
    """Actions and wildcards, by AWS's own reference."""
    for grant in sorted(allowed):
        service, _, name = grant.action.partition(":")
        reference = [] if "*" in name else get_action_data(service, name).get(service, [])
        if not reference:
            yield f"may {grant}, and AWS knows no action of that name"
            continue
        narrower = {row["resource_arn_format"] for row in reference} - {"*"}
        if grant.resource == "*" and narrower:
            yield f"may {grant}, though AWS lets it be narrowed to {', '.join(sorted(narrower))}"
        if grant.resource != "*" and not narrower:
            yield f"may {grant}, and AWS knows no resource for that action but *, so that nothing is allowed"
        if "*" in grant.resource and not reviewed.get(grant, {}).get("wildcard"):
            yield f"may {grant}: name the resource, or say why it cannot be narrower (`wildcard`)"


def problems(allowed, recorded):
    reviewed = reviewed_of(allowed.keys())
    for function in sorted(allowed.keys() | reviewed.keys() | recorded.keys()):
        here = (allowed.get(function, set()), reviewed.get(function, {}))
        yield from (f"{function} {problem}" for problem in against_the_review(*here))
        yield from (f"{function} {problem}" for problem in against_the_recording(*here, recorded.get(function, set())))
        yield from (f"{function} {problem}" for problem in against_iam(*here))


def main():
    allowed, recorded = functions_of(deployed()), recorded_in(Path(sys.argv[1]))
    found = list(problems(allowed, recorded))
    for problem in found:
        print(f"FAILED  {problem}")
    for function, grants in sorted(allowed.items()):
        print(f"{function}: {len(grants)} allowed, {len(recorded.get(function, ()))} recorded")
    print(f"{len(found)} problems with {len(allowed)} functions")
    raise SystemExit(1 if found or not allowed else 0)


if __name__ == "__main__":
    main()
