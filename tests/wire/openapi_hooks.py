"""What Schemathesis must be told of the API besides docs/openapi.yaml: CSV, and the rules that a schema cannot say. See
check_openapi.py."""

import atexit
import csv
import datetime
import io
import json
import os
import urllib.parse

import jsonschema_rs
import schemathesis
import yaml
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import RejectedPositiveData, UndefinedStatusCode

DOCUMENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "openapi.yaml")

# The columns of each operation that takes CSV, and a product that there is.
COLUMNS = {
    "/v1/usage": ["license", "dimension", "quantity", "time", "key"],
    "/v1/imports": ["tenant", "customer_identifier", "account", "email", "name", "product"],
}
PRODUCT = "7demolegacy00000000000ab"

# Requests that the schema of each part allows and the operation's description does not: how the answer's detail begins.
BEYOND_SCHEMAS = (
    "cursor: not one that this query has returned",
    "quantity: needs a `dimension` beside it",
    "to: is the same tenant as `from`",
    "from: must not be after `to`",
    "product: this stack has no listing of",
)


def usage_schema():
    with open(DOCUMENT, encoding="utf-8") as file:
        components = yaml.safe_load(file)["components"]
    return {"$ref": "#/components/schemas/UsageEvent", "components": components}


USAGE_EVENT = jsonschema_rs.validator_for(usage_schema(), validate_formats=True)


@schemathesis.serializer("text/csv")
def to_csv(context, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@schemathesis.hook
def map_body(context, body):
    """Makes a file of one row of a text, as hardly any text is one."""
    columns = COLUMNS.get(context.operation.path, [])
    if not isinstance(body, str) or body.startswith(("license,", "product,")):
        return body
    text = body.replace("\ufffd", "?")
    file = io.StringIO()
    row = [PRODUCT if column == "product" else text[place :: len(columns)] for place, column in enumerate(columns)]
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows([columns, row])
    return file.getvalue()


def document_of(response):
    try:
        return response.json()
    except ValueError:
        return {}


def is_beyond_schemas(case, response):
    problem = document_of(response)
    code, detail = problem.get("code"), problem.get("detail", "")
    if case.media_type == "text/csv":
        return code in ("body_invalid", "body_unreadable")
    return code == "handoff_gone" or detail.startswith(BEYOND_SCHEMAS) or names_no_day(case)


def names_no_day(case):
    """Whether a record's name has a day such as February 31, which a pattern lets through."""
    record = urllib.parse.unquote(str((case.path_parameters or {}).get("record", "")))
    if record.count("@") != 2:
        return False
    try:
        datetime.date.fromisoformat(record.split("@")[1][:10])
    except ValueError:
        return True
    return False


def is_judged_by_event(case, response):
    """Whether each event that breaks its schema is refused for itself, and the request is right but for those."""
    events, answer = getattr(case, "body", None), document_of(response)
    events = events.get("events") if isinstance(events, dict) else None
    results = answer.get("results", [])
    if case.operation.label != "POST /v1/usage" or not isinstance(events, list) or len(events) != len(results):
        return False
    wrong = [result["status"] for event, result in zip(events, results) if not USAGE_EVENT.is_valid(event)]
    only_events_are = set(case.body) == {"events"} and set(case.query or {}) <= {"dry_run"}
    return only_events_are and set(wrong) == {"refused"}


def is_cut_off(case):
    """Whether another path is reached than was meant: API Gateway cuts a path off at a question mark, also an encoded one."""
    return any("?" in urllib.parse.unquote(str(value)) for value in (case.path_parameters or {}).values())


@schemathesis.hook
def filter_failure(context, failure, case, response):
    if isinstance(failure, UndefinedStatusCode):
        return not (response.status_code == 405 and is_cut_off(case))
    if isinstance(failure, RejectedPositiveData):
        return not is_beyond_schemas(case, response)
    if isinstance(failure, AcceptedNegativeData):
        return not is_judged_by_event(case, response)
    return True


# What is wrong with an event by its form alone. Its quantity and key have limits that its schema cannot say.
MALFORMED = {
    "dimension_invalid",
    "event_invalid",
    "field_missing",
    "field_unknown",
    "license_invalid",
    "revision_invalid",
    "tags_invalid",
    "time_invalid",
}


@schemathesis.check
def well_formed_events_are_read(context, response, case):
    """Each event is judged for itself, so that the status does not tell."""
    is_right = case.meta is not None and case.meta.generation.mode.is_positive and case.media_type == "application/json"
    if case.operation.label == "POST /v1/usage" and is_right and response.status_code == 200:
        wrong = [result for result in document_of(response)["results"] if result.get("code") in MALFORMED]
        assert not wrong, f"an event that its schema allows is not read: {wrong[0]}"


STATUSES = {}


@schemathesis.hook
def after_call(context, case, response):
    # What was asked by a method that is not documented is of no operation.
    if case.method.upper() == case.operation.method.upper() and not is_cut_off(case):
        STATUSES.setdefault(case.operation.label, set()).add(response.status_code)


@atexit.register
def print_statuses():
    with open(os.environ["SEEN"], "w", encoding="utf-8") as file:
        json.dump({operation: sorted(statuses) for operation, statuses in sorted(STATUSES.items())}, file)
