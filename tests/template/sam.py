"""template.yaml, as it is written and as AWS deploys it: what the SAM transform makes of it."""

import logging
from pathlib import Path

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"

# The transform counts what nobody reads, and complains that nobody does.
logging.getLogger("samtranslator.metrics.metrics").setLevel(logging.ERROR)


class NoManagedPolicies:
    """The names of AWS's own policies. The template uses none: every function brings its role."""

    def load(self):
        return {}


def source():
    return yaml_parse(TEMPLATE.read_text(encoding="utf-8"))


def transformed(template, parameters):
    """A template as plain CloudFormation. The environment names a region (AWS_DEFAULT_REGION)."""
    return transform(template, parameters, NoManagedPolicies())
