"""Checks that doc comments, messages and documents use the words of docs/GLOSSARY.md:
python3 tests/prose/check_prose.py [--counts] [FILE …].

Reads the doc comments of Rust files, their messages (string literals of tracing, of errors and of clap) and Markdown
documents, without inline code and code blocks. Prints `file:line: word -> say this`, then the count of each word, and
exits with 1 if there is any. `--counts` prints the counts alone. `--self-test` shows that each rule can fail.

Between `<!-- prose: off -->` and `<!-- prose: on -->` a document may name words that it does not use."""

import re
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = {".aws-sam", ".git", "found", "node_modules", "target"}
BE = r"(?:am|are|be|been|is|was|were)"
AT = r"(?:a|an|another|each|every|first|its|last|next|one|other|that|the|this|whose)"

# Word, what to say instead, a pattern where the word alone would also find legitimate uses, and a sample that fails.
WORDS = [
    ("tell", "notify, publish, report, show", r"(?:tells?|told|telling)\b(?! (?:\w+ ){0,4}apart)", "It tells the app"),
    ("hear", "receive, apply, handle", r"(?:hear|hears|heard|hearing)", "An event is heard"),
    ("news", "events, notifications", None, "The news about a license"),
    ("mend", "fix, repair, resolve", r"mend(?:s|ed|ing)?", "Mend it"),
    ("look", "check, audit run, request",
     rf"{AT} (?:new |single )?looks?(?! ?up)|looks? (?:on|in) demand", "After a look"),
    ("look at", "check, read, examine", r"look(?:s|ed|ing)? (?:\w+ )?at", "Each hour is looked at"),
    ("anew", "again", None, "Read anew"),
    ("word", "statement, attestation, answer",
     r"(?:AWS's|his|its|nobody's|seller's|their) word|takes? (?:a|the) word", "By AWS's word"),
    ("say", "show, report, return, describe",
     r"says?\b(?= (?:how|so|what|when|where|whether|which|who|why)\b)|AWS (?:said|says)|is said to",
     "AWS says that it ended"),
    ("door", "endpoint, entry point", r"doors?", "What comes in at each door"),
    ("way in", "entry point, endpoint, next step",
     r"(?:a|another|each|no|one|only|own|the) ways? (?:in|on)|let(?:s|ting)? (?:\w+ )?in", "The only way in"),
    ("take in", "accept, ingest",
     r"(?:take|takes|taken|taking|took) (?:it |them |usage )?in(?!\w| (?:effect|turn))", "Usage is taken in"),
    ("people", "users, buyers, operators", None, "Texts for people"),
    ("books", "ledger", r"(?:AWS's|its|own|the) books", "The books of AWS"),
    ("world", "environment, system, subscribers", r"worlds?", "A random world"),
    ("plot", "scenario", r"plots?", "The plot of a seed"),
    ("scene", "fixture, setup", r"scenes?", "The scene is set"),
    ("seen", "observed", None, "The state that was seen"),
    ("blind", "unobserved, without a read", r"blind(?:ly)?(?![\w ]* writes?)", "The auditor is blind"),
    ("begin", "start", r"(?:began|begin|begins|begun|beginning)", "The hour begins"),
    ("is over", "has ended", rf"{BE} over(?! (?:\d|(?:a|an|HTTPS?|SNS|the|TLS)\b))", "The license is over"),
    ("go on", "continue", r"(?:go|goes|gone|going|went) on(?! (?:sale|to be)\b)", "The walk goes on"),
    ("go through", "pass, run", r"(?:goes|gone|going|went) through", "The call went through"),
    ("pressing", "urgent", r"pressing\b(?! (?:\"|a|the)\b)", "A pressing record"),
    ("odd", "unexpected, unusual", None, "An odd answer"),
    ("give way", "back off", r"(?:gave|give|gives|giving|given) way", "The run gives way"),
    ("patience", "timeout", None, "Its patience ends"),
    ("at once", "immediately, concurrently", None, "All of them at once"),
    ("a person", "operator, buyer, user",
     r"(?:a|another|each|no|one) person(?!'s name\b)|persons", "A person must look"),
    ("nobody", "no caller, no buyer", r"(?:anybody|everybody|nobody|somebody)(?:'s)?", "Nobody reads it"),
    ("who", "a buyer who, a caller that", r"(?-i:Who(?:ever)?)(?= )(?![^.?!]*\?)", "Who holds the code may redeem it."),
    ("at AWS", "on AWS Marketplace, in AWS", r"at AWS(?: Marketplace)?(?!'s|\w)", "Unknown at AWS"),
    ("make good", "repair",
     r"(?:made|make|makes|making) good|(?:made|make|makes) (?:what|it) .{0,20}good\b", "It makes good what was lost"),
    ("hold against", "compare with", r"(?:held|hold|holds|holding) (?:\S+ ){0,4}against", "Each is held against AWS"),
    ("stand in", "be in",
     r"(?:stand|stands|stood|standing) in (?:a|the|its) (?:audit|bill|ledger|log|report|row|table)",
     "It stands in the table"),
    ("in silence", "without a record", None, "Dropped in silence"),
    ("spoil", "break, alter", r"spoil(?:s|ed|ing)?", "It spoils the answer"),
]
# A doc comment starts with a verb or a noun phrase. Few may start otherwise.
STARTS = "As He How It One She So That They Those What When Where Whether Which Who Why".split()
STARTS_SHARE_MAX = 0.03
# A path of one machine. `/work/...` of the sample application is a route, which has no file behind it.
MACHINE_PATH = re.compile(r"(?<![\w.:*-])/(?:home|root|tmp|Users|workspace)/\w[\w./-]*|(?<![\w.:*\"-])/work/\w[\w./-]*")

PATTERNS = [
    (word, say, re.compile(rf"(?<![\w'-])(?:{pattern or re.escape(word)})(?![\w-])", re.IGNORECASE), sample)
    for word, say, pattern, sample in WORDS
]
# Everything that may hide a comment or a quote from a simple search, and what we look for.
RUST = re.compile(
    r"""(?P<doc>//[/!](?!/)[^\n]*)|//[^\n]*|(?P<block>/\*.*?\*/)|(?P<raw>b?r(?P<hash>\#*)".*?"(?P=hash))"""
    r"""|(?P<text>[bc]?"(?:[^"\\]|\\.)*")|b?'(?:[^'\\\n]|\\[^\n]{1,10})'""",
    re.DOTALL,
)
# The start of a message: what stands before the string literals of a macro, an attribute or a call.
MESSAGE = re.compile(
    r"(?:\b(?:trace|debug|info|warn|error|bail|anyhow|ensure)!\s*[(\[{]"
    r"|#\[(?:error|arg|command|clap)\(|\.(?:action|context|detail|with_context)\()"
)


def rust_prose(source):
    """Yields (line, kind, text) of the doc comments ("doc", one for each line) and messages ("text") of a Rust file."""
    tokens = list(RUST.finditer(source))
    for token in tokens:
        if token["doc"]:
            yield line_of(source, token.start()), "doc", token["doc"][3:]
    # Literals and comments blanked, so that brackets can be counted.
    bare = RUST.sub(lambda token: re.sub(r"[^\n]", " ", token[0]), source)
    literals = [token for token in tokens if token["text"] or token["raw"]]
    for start in MESSAGE.finditer(bare):
        end = closing(bare, start.end())
        for token in literals:
            if start.end() <= token.start() < end:
                yield line_of(source, token.start()), "text", re.sub(r"\\\n\s*", " ", token[0])


def closing(bare, position):
    """Returns the position of the bracket that closes the one before `position`."""
    depth = 1
    for place in range(position, len(bare)):
        depth += (bare[place] in "([{") - (bare[place] in ")]}")
        if depth == 0:
            return place
    return len(bare)


def markdown_prose(source):
    """Yields (line, "text", text) of a document's lines. Of code blocks, only diagrams are prose."""
    fence, is_on = None, True
    for number, line in enumerate(source.splitlines(), 1):
        if match := re.match(r"\s*(```|~~~)(\w*)", line):
            fence = None if fence else match[2] or "none"
        elif "<!-- prose: o" in line:
            is_on = "<!-- prose: on" in line
        elif is_on and fence in (None, "mermaid"):
            yield number, "text", line


def line_of(source, position):
    return source.count("\n", 0, position) + 1


def without_code(text):
    """Returns a text without inline code, addresses and the targets of links."""
    return re.sub(r"`[^`]*`|\]\([^)]*\)|https?://\S+", " ", text)


def doc_starts(prose):
    """Returns (line, first word) of each doc comment: of each block of consecutive lines."""
    starts, last = [], None
    for line, kind, text in prose:
        if kind == "doc":
            if last != line - 1 and (word := re.match(r"\s*([A-Za-z]+)", text)):
                starts.append((line, word[1]))
            last = line
    return starts


def check(files):
    """Returns the findings as (place, word, what to say), and the doc comments as (place, first word)."""
    findings, starts = [], []
    for name, source in files:
        prose = list((rust_prose if name.endswith(".rs") else markdown_prose)(source))
        for line, _, text in prose:
            for word, say, pattern, _ in PATTERNS:
                for match in pattern.finditer(without_code(text)):
                    findings.append((f"{name}:{line}", word, say, match[0]))
        for match in MACHINE_PATH.finditer(source):
            is_route = name.startswith(("examples/app/", "tests/tests/end_to_end/sample_app/"))
            if not is_route:
                place = f"{name}:{line_of(source, match.start())}"
                findings.append((place, "machine path", "a path of the repository, or a placeholder", match[0]))
        starts += [(f"{name}:{line}", word) for line, word in doc_starts(prose)]
    return findings, starts


def wrong_starts(starts):
    """Returns the doc comments that start with a wrong word, and `True` if there are too many of them."""
    wrong = [(place, word) for place, word in starts if word in STARTS]
    return wrong, len(wrong) >= max(STARTS_SHARE_MAX * len(starts), 1)


def report(findings, starts, is_short):
    """Prints what was found; returns `True` if anything was."""
    wrong, is_over = wrong_starts(starts)
    if not is_short:
        for place, _, say, text in findings:
            print(f"{place}: {text} -> {say}")
        for place, word in wrong if is_over else []:
            print(f"{place}: doc comment starts with {word} -> a verb or a noun phrase")
    for word, count in Counter(word for _, word, _, _ in findings).most_common():
        print(f"{count:6} {word}")
    for word, count in Counter(word for _, word in wrong).most_common():
        print(f"{count:6} doc comment starts with {word}")
    share = len(wrong) / max(len(starts), 1)
    limit = f"below {STARTS_SHARE_MAX:.0%} is allowed"
    print(f"{len(wrong)} of {len(starts)} doc comments ({share:.1%}) start with such a word; {limit}")
    return bool(findings) or is_over


def files_to_check(arguments):
    paths = [Path(argument).resolve() for argument in arguments] or sorted(
        path for path in ROOT.rglob("*")
        if path.suffix in (".rs", ".md") and not SKIPPED & set(path.relative_to(ROOT).parts)
    )
    return [(path.relative_to(ROOT).as_posix(), path.read_text()) for path in paths]


def self_test():
    """Shows that each rule can fail, and that what it must not find passes."""
    def words_in(name, source):
        return {word for _, word, _, _ in check([(name, source)])[0]}

    for word, _, _, sample in PATTERNS:
        assert word in words_in("a.md", sample), f"{word}: not found in {sample!r}"
        assert word in words_in("a.rs", f"/// {sample}\n"), f"{word}: not found in a doc comment"
        for message in ['tracing::info!(id, "{}");', '#[error("{}")]', 'bail!("a {{x}} {}")', '#[arg(help = "{}")]']:
            assert word in words_in("a.rs", message.replace("{}", sample)), f"{word}: not found in {message}"
        no_message = f"// {sample}\nlet a = \"{sample}\"; let b = '\"';"
        assert word not in words_in("a.rs", no_message), f"{word}: found in what is no message"
        assert word not in words_in("a.md", f"`{sample}`\n```sh\n{sample}\n```\n"), f"{word}: found in code"
    for legitimate in [
        "Tell two buyers apart.", "Look up the id.", "A blind batched write.", "Usage takes effect in an hour.",
        "It is over 400 lines.", "It is over HTTPS.", "Who may call it?", "The seller says yes.", "In AWS's words.",
        "At AWS's endpoint.", "Rules about the outdoors.", "A buyer who left.", "Pressing the button.", "Keywords.",
    ]:
        assert not words_in("a.md", legitimate), f"{legitimate!r}: {words_in('a.md', legitimate)}"
    assert not words_in("a.md", "<!-- prose: off -->\nnews\n<!-- prose: on -->\n")
    assert words_in("a.md", "```mermaid\na[news queue]\n```\n") == {"news"}
    for path in ["/home/me/project/a.rs", "/tmp/x", "/work/a/b"]:
        assert words_in("a.md", f"See {path}.") == words_in("a.rs", f"let a = 1; // see {path}") == {"machine path"}
    assert not words_in("examples/app/src/lib.rs", '.route("/work/send", post(send))')
    for start in STARTS:
        _, starts = check([("a.rs", f"/// {start} it is.\n/// {start} again.\nfn a() {{}}\n")])
        assert wrong_starts(starts) == ([("a.rs:1", start)], True), start
    _, starts = check([("a.rs", "/// Returns it.\nfn a() {}\n" * 100 + "/// What it is.\n")])
    assert len(starts) == 101 and wrong_starts(starts) == ([("a.rs:201", "What")], False)
    glossary = (ROOT / "docs/GLOSSARY.md").read_text().split("<!-- prose: off -->")[1].split("<!-- prose: on -->")[0]
    listed = re.findall(r"^\| ([^|]+?) \|", glossary, re.MULTILINE)[2:]
    missing = [row for row in listed if not words_in("a.md", row)]
    assert listed and not missing, f"docs/GLOSSARY.md has words that no rule finds: {missing}"
    print("every rule can fail")


if __name__ == "__main__":
    options = {argument for argument in sys.argv[1:] if argument.startswith("--")}
    if unknown := options - {"--counts", "--self-test"}:
        sys.exit(f"unknown: {', '.join(unknown)}\n\n{__doc__}")
    if "--self-test" in options:
        self_test()
    elif report(*check(files_to_check([it for it in sys.argv[1:] if it not in options])), "--counts" in options):
        sys.exit(1)
