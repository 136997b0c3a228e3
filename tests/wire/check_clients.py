"""Clients that are generated from docs/openapi.yaml: python tests/wire/check_clients.py (needs `openapi-python-client` and
`ruff` beside its Python, Node 20, and in NODE_MODULES the packages @redocly/cli, openapi-fetch, openapi-typescript and
typescript 5). The document is linted, and a client in Python and one in TypeScript each read the licenses of a sandbox."""

import json
import os
import subprocess
import sys
import tempfile

from check_openapi import SIGNATURE
from running_sandbox import ROOT, Tally, running_sandbox

DOCUMENT = os.path.join(ROOT, "docs", "openapi.yaml")
NODE_MODULES = os.environ["NODE_MODULES"]

# The generator knows no CSV: it is a body of bytes to it.
PYTHON_CONFIGURATION = "content_type_overrides:\n  text/csv: application/octet-stream\n"

PYTHON_PROGRAM = """
import importlib
import pkgutil
import sys

import stallkeeper_client
from stallkeeper_client import Client
from stallkeeper_client.api.licenses import list_licenses
from stallkeeper_client.models import Licenses

for module in pkgutil.walk_packages(stallkeeper_client.__path__, "stallkeeper_client."):
    importlib.import_module(module.name)
url, signature = sys.argv[1:]
page = list_licenses.sync(client=Client(base_url=url, headers={"Authorization": signature}), limit=10)
assert isinstance(page, Licenses), page
for license in page.licenses:
    print(license.id, license.state)
"""

TYPESCRIPT_PROGRAM = """
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

declare const process: { argv: string[] };

const [baseUrl, signature] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl, headers: { Authorization: signature } });
const { data, error } = await client.GET("/v1/licenses", { params: { query: { limit: 10 } } });
if (data === undefined) throw new Error(JSON.stringify(error));
const licenses: components["schemas"]["License"][] = data.licenses;
for (const license of licenses) console.log(license.id, license.state);
"""

COMPILER = {
    "compilerOptions": {
        "strict": True,
        "target": "es2022",
        "lib": ["es2022", "dom", "dom.iterable"],
        "module": "nodenext",
        "types": [],
    },
    "files": ["program.ts"],
}


def run(command, folder):
    """Runs a command; answers whether it succeeded, and what it printed."""
    beside = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    quiet = {"PATH": beside, "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "REDOCLY_TELEMETRY": "off"}
    ended = subprocess.run(
        command, cwd=folder, env=os.environ | quiet, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return ended.returncode == 0, ended.stdout


def node_program(name):
    return os.path.join(NODE_MODULES, ".bin", name)


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)


def check_lint(tally, folder):
    configuration = os.path.join(ROOT, "docs", "redocly.yaml")
    command = [node_program("redocly"), "lint", "--config", configuration, "--max-problems", "1000", "--format", "json"]
    is_valid, printed = run([*command, DOCUMENT], folder)
    found = json.loads(printed[printed.index("{") : printed.rindex("}") + 1])["totals"] if "{" in printed else printed
    is_clean = isinstance(found, dict) and found["errors"] == found["warnings"] == 0
    tally.check("the document is clean to Redocly", is_valid and is_clean, printed)


def check_python(tally, folder, sandbox, expected):
    write(folder, "configuration.yaml", PYTHON_CONFIGURATION)
    write(folder, "program.py", PYTHON_PROGRAM)
    command = ["openapi-python-client", "generate", "--path", DOCUMENT, "--config", "configuration.yaml", "--meta", "none"]
    tally.check("a Python client is generated", *run([*command, "--output-path", "stallkeeper_client", "--fail-on-warning"], folder))
    is_right, printed = run([sys.executable, "program.py", sandbox.url, SIGNATURE], folder)
    tally.check("the Python client lists the licenses", is_right and set(printed.splitlines()) == expected, printed)


def check_typescript(tally, folder, sandbox, expected):
    os.symlink(NODE_MODULES, os.path.join(folder, "node_modules"))
    write(folder, "package.json", json.dumps({"type": "module"}))
    write(folder, "tsconfig.json", json.dumps(COMPILER))
    write(folder, "program.ts", TYPESCRIPT_PROGRAM)
    types = [node_program("openapi-typescript"), DOCUMENT, "--output", "api.d.ts"]
    tally.check("types for TypeScript are generated", *run(types, folder))
    tally.check("they compile strictly", *run([node_program("tsc"), "--project", "."], folder))
    is_right, printed = run(["node", "program.js", sandbox.url, SIGNATURE], folder)
    tally.check("the TypeScript client lists the licenses", is_right and set(printed.splitlines()) == expected, printed)


def main():
    os.environ["RUST_LOG"] = "off"
    tally = Tally()
    with running_sandbox() as sandbox, tempfile.TemporaryDirectory() as folder:
        order = {"product": "demo-contract", "dimensions": {"seats": 5}}
        bought = [sandbox.call("POST", "/sandbox/purchases", order) for _ in range(2)]
        expected = {f"{purchase['license']} active" for purchase in bought}
        folders = [os.path.join(folder, language) for language in ("python", "typescript")]
        for language in folders:
            os.mkdir(language)
        check_lint(tally, folder)
        check_python(tally, folders[0], sandbox, expected)
        check_typescript(tally, folders[1], sandbox, expected)
    tally.close()


if __name__ == "__main__":
    main()
