"""Checks that no two Rust files of a crate import each other in a circle.

An import is a `use` path, or a path in the code, that starts with `crate::`, `super::`, `self::` or the name of one of
the file's own submodules, and names an item of another file. `mod` declarations do not count, nor re-exports (`pub use`)
of names that the file does not use itself: they only pass names on. Test modules do not count either.

    python3 tests/prose/check_imports.py             # exit code 1, and the files of each circle, if there is one
    python3 tests/prose/check_imports.py --self-test
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = re.compile(r"#\[cfg\(test\)\]\s*(?:#\[path = \"[^\"]*\"\]\s*)?mod \w+(?:;| \{.*)", re.S)
COMMENTS = re.compile(r"//[^\n]*")
STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')
USES = re.compile(r"\b(pub(?:\([^)]*\))? )?use ((?:crate|super|self)::[^;]+);")
PATHS = re.compile(r"(?<![\w:])((?:crate|super)(?:::\w+)+)")
LOCAL_PATHS = re.compile(r"(?<![\w:])(\w+(?:::\w+)+)")
REEXPORTS = re.compile(r"\bpub(?:\([^)]*\))? use (\w+::[^;]+);")
ANY_USE = re.compile(r"\b(?:pub(?:\([^)]*\))? )?use [^;]+;")


def modules(source: Path) -> dict[tuple[str, ...], Path]:
    """Returns the files of a crate's `src` by module path."""
    found = {}
    for file in sorted(source.rglob("*.rs")):
        parts = file.relative_to(source).with_suffix("").parts
        if parts[-1].endswith("tests") or parts[0] == "bin" or parts == ("main",):
            continue
        if parts[-1] in ("mod", "lib"):
            parts = parts[:-1]
        found[parts] = file
    return found


def leaves(tree: str) -> list[list[str]]:
    """Splits a `use` tree into its paths: `a::{b, c::d}` into `a::b` and `a::c::d`."""
    tree = tree.strip()
    head, brace, rest = tree.partition("{")
    if not brace:
        return [[part.strip() for part in re.sub(r"\s+as\s+\w+$", "", tree).split("::")]]
    paths, depth, item = [], 0, ""
    for character in rest.rpartition("}")[0] + ",":
        depth += (character == "{") - (character == "}")
        if character == "," and depth == 0:
            paths += leaves(item) if item.strip() else []
            item = ""
        else:
            item += character
    return [[part.strip() for part in head.split("::") if part.strip()] + path for path in paths]


def resolve(at: tuple[str, ...], path: list[str]) -> list[str]:
    """Returns a path from the root of the crate."""
    if path[0] == "crate":
        return path[1:]
    base = list(at)
    while path and path[0] in ("super", "self"):
        base = base[:-1] if path[0] == "super" else base
        path = path[1:]
    return base + path


def reexports(files: dict[tuple[str, ...], str]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Returns, for each name that a file re-exports from a submodule, the module that has it."""
    found = {}
    for at, text in files.items():
        for match in re.finditer(r"\bpub(?:\([^)]*\))? use ([^;]+);", text):
            for path in leaves(match[1]):
                if path[0] in ("self",):
                    path = path[1:]
                if path[0] in ("crate", "super"):
                    continue
                target = at + tuple(path[:-1])
                if target in files:
                    found[at + (path[-1],)] = target
    return found


def imports(files: dict[tuple[str, ...], str]) -> dict[tuple[str, ...], set[tuple[str, ...]]]:
    """Returns the modules that each module imports."""
    passed_on = reexports(files)
    graph = {at: set() for at in files}
    for at, text in files.items():
        paths = [path for match in USES.finditer(text) for path in leaves(match[2]) if not match[1] or path[0] != "self"]
        paths += [match[1].split("::") for match in PATHS.finditer(USES.sub("", text))]
        for path in paths:
            full = tuple(resolve(at, path))
            for length in range(len(full), -1, -1):
                name = full[:length]
                if name in passed_on:
                    name = passed_on[name]
                if name in files:
                    if name != at:
                        graph[at].add(name)
                    break
        # What a file takes from its own submodules, other than to pass it on. A re-exported name counts if the file
        # uses it too.
        own = [path for match in re.finditer(r"(?<!pub )(?<!\) )\buse (\w+(?:::[^;]+)?);", text) for path in leaves(match[1])]
        own += [match[1].split("::") for match in LOCAL_PATHS.finditer(ANY_USE.sub("", text))]
        body = ANY_USE.sub("", text)
        exported = [path for match in REEXPORTS.finditer(text) for path in leaves(match[1])]
        own += [path for path in exported if re.search(rf"(?<![\w:]){re.escape(path[-1])}\b", body)]
        for path in own:
            for length in range(len(path), 0, -1):
                name = at + tuple(path[:length])
                if name in passed_on:
                    name = passed_on[name]
                if name in files:
                    if name != at:
                        graph[at].add(name)
                    break
    return graph


def circles(graph: dict) -> list[list]:
    """Returns the strongly connected components with more than one member (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            members = []
            while not members or members[-1] != node:
                members.append(stack.pop())
            if len(members) > 1:
                found.append(sorted(members))

    for node in graph:
        if node not in index:
            visit(node)
    return found


def stripped(text: str) -> str:
    return TESTS.sub("", STRINGS.sub('""', COMMENTS.sub("", text)))


def self_test() -> None:
    files = {(): "mod a; mod b; pub use a::A;", ("a",): "use crate::b::B;", ("b",): "use super::A;"}
    assert circles(imports(files)) == [[("a",), ("b",)]], "a circle through a re-export"
    files[("b",)] = ""
    assert circles(imports(files)) == [], "no circle"
    files = {(): "mod a; use a::f; pub struct S;", ("a",): "use crate::S;"}
    assert circles(imports(files)) == [[(), ("a",)]], "a parent that uses what its child makes of it"
    files = {(): "mod a; pub struct S; fn g() { a::f() }", ("a",): "use crate::S;"}
    assert circles(imports(files)) == [[(), ("a",)]], "a parent that calls its child without an import"
    files = {(): "mod a; pub use a::f; pub struct S;", ("a",): "use crate::S;"}
    assert circles(imports(files)) == [], "a parent that only passes on what its child has"
    files[()] = "mod a; pub use a::f; pub struct S; fn g() { f() }"
    assert circles(imports(files)) == [[(), ("a",)]], "a parent that uses what it passes on"


def main() -> int:
    if "--self-test" in sys.argv:
        self_test()
        return 0
    failed = 0
    for manifest in sorted(ROOT.rglob("Cargo.toml")):
        source = manifest.parent / "src"
        if "target" in manifest.relative_to(ROOT).parts or not source.is_dir():
            continue
        by_module = modules(source)
        graph = imports({at: stripped(file.read_text()) for at, file in by_module.items()})
        for circle in circles(graph):
            failed = 1
            print(f"circle of {len(circle)} files:")
            for at in circle:
                targets = ", ".join("::".join(other) or "lib" for other in sorted(graph[at]) if other in circle)
                print(f"  {by_module[at].relative_to(ROOT)} -> {targets}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
