"""template.yaml as the plain CloudFormation that AWS deploys: what the SAM transform makes of it."""

import json
import sys

from local_aws import ROOT

sys.path.insert(0, f"{ROOT}/tests/template")

from sam import source, transformed

# The types that ministack cannot make, and why the rehearsal can do without.
LEFT_OUT = {"AWS::Events::Archive": "no buyer's way goes through it"}


def binaries(template):
    """The binary of each function."""
    resources = template["Resources"].items()
    functions = {name: it for name, it in resources if it["Type"] == "AWS::Serverless::Function"}
    return {name: function["Metadata"]["BuildProperties"]["Binary"] for name, function in functions.items()}


def deployable(bucket, parameters):
    """The template with its code in a bucket, transformed: as `sam package` and AWS do it."""
    template = source()
    del template["Globals"]["Function"]["CodeUri"]
    for function, binary in binaries(template).items():
        template["Resources"][function]["Properties"]["CodeUri"] = {"Bucket": bucket, "Key": f"{binary}.zip"}
    plain = transformed(template, parameters)
    write_routes_out(plain["Resources"])
    for kind in LEFT_OUT:
        leave_out(plain, kind)
    return json.dumps(plain)


def write_routes_out(resources):
    """Makes resources of the routes in the API's OpenAPI body, which ministack does not import."""
    body = resources["Api"]["Properties"].pop("Body")
    # What AWS takes from the body.
    resources["Api"]["Properties"] |= {"Name": body["info"]["title"], "ProtocolType": "HTTP"}
    for number, (path, methods) in enumerate(body["paths"].items()):
        if list(methods) != ["x-amazon-apigateway-any-method"]:
            raise SystemExit(f"{path} has the methods {list(methods)}: the rehearsal knows only routes of any method")
        operation = methods["x-amazon-apigateway-any-method"]
        signed = operation.get("security", [])
        if signed not in ([], [{"AWS_IAM": []}]):
            raise SystemExit(f"{path} is authorized by {signed}: the rehearsal knows only AWS_IAM")
        integration = operation["x-amazon-apigateway-integration"]
        resources[f"Integration{number}"] = {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": integration["uri"],
                "PayloadFormatVersion": integration["payloadFormatVersion"],
            },
        }
        resources[f"Route{number}"] = {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "RouteKey": f"ANY {path}",
                "Target": {"Fn::Sub": f"integrations/${{Integration{number}}}"},
                "AuthorizationType": "AWS_IAM" if signed else "NONE",
            },
        }


def leave_out(plain, kind):
    """Leaves out the resources of a type, and the outputs that name them."""
    names = [name for name, resource in plain["Resources"].items() if resource["Type"] == kind]
    if not names:
        raise SystemExit(f"the template has no {kind} any more: take it off the list of what is left out")
    for name in names:
        del plain["Resources"][name]
        outputs = plain["Outputs"].items()
        plain["Outputs"] = {key: output for key, output in outputs if output["Value"] != {"Ref": name}}
