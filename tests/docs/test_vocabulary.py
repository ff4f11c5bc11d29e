"""The words that docs/glossary.md retires are in no name of the code, and in no prose."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = next(folder for folder in Path(__file__).resolve().parents if folder.joinpath("pyproject.toml").exists())
GLOSSARY = ROOT / "docs" / "glossary.md"
ROW = re.compile(r"^\| (`[^|]+) \| [^|]+ \| ([a-z, ]+) \|$", re.MULTILINE)

ROOMS = ("accord", "db", "handlers", "services", "jobs")
CODE = [
    *sorted(file for room in ROOMS for file in ROOT.glob(f"{room}/**/*.py")),
    *sorted(ROOT.glob("bench/*.py")),
    ROOT / "alembic" / "env.py",
    ROOT / "main.py",
]
# docs/settings.md is made of the descriptions in accord/settings, which are prose of the code.
MARKDOWN = [
    *sorted(ROOT.glob("*.md")),
    *sorted(file for file in ROOT.glob("docs/**/*.md") if file.name != "settings.md"),
    *sorted(ROOT.glob("bench/*.md")),
    *sorted(ROOT.glob("openapi/*.md")),
]
PLAIN = [ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / ".ci" / "run"]
"""Files whose comments and messages are prose, and in which code is not told from it."""


def retired(kind):
    """Return the words of the glossary that are refused as *kind*: `part`, `name` or `prose`."""
    table = GLOSSARY.read_text("utf-8").partition("## Retired words")[2]
    rows = [(re.findall(r"`([^`]+)`", words), kinds.split(", ")) for words, kinds in ROW.findall(table)]
    return sorted({word for words, kinds in rows if kind in kinds for word in words})


def identifiers(source, file):
    """Return every name in *source* with its line: variables, attributes, arguments, definitions, modules, packages."""
    found = [(part, 0) for part in file.relative_to(ROOT).with_suffix("").parts]
    for node in ast.walk(ast.parse(source)):
        line = getattr(node, "lineno", 0)
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
                found.append((name, line))
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.append((name, line))
            case ast.alias(name=module, asname=name):
                found += [(part, line) for part in (*module.split("."), *filter(None, [name]))]
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                found.append((name, line))
            case ast.MatchClass(kwd_attrs=names) | ast.Global(names=names) | ast.Nonlocal(names=names):
                found += [(name, line) for name in names]
            case ast.ExceptHandler(name=str(name)):
                found.append((name, line))
    return found


def parts(name):
    """Return the parts of an identifier in lower case: of `open_seam` and `OpenSeam`, `open` and `seam`."""
    return [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def texts(source):
    """Return comments, docstrings and string literals of *source*, each with its line."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = [(token.string, token.start[0]) for token in tokens if token.type == tokenize.COMMENT]
    strings = [
        (node.value, node.lineno)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return comments + strings


def prose(text):
    """Return Markdown without what is not prose, in as many lines: code, targets of links, generated tables."""

    def blank(found):
        return "\n" * found[0].count("\n")

    text = re.sub(r"^## Retired words\n.*?(?=^## |\Z)", blank, text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"<!-- performance: .*?<!-- /performance -->", blank, text, flags=re.DOTALL)
    text = re.sub(r"^( *)```.*?^\1```", blank, text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^    .*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"(`+)[^`](?:(?!\n\n).)*?\1", blank, text, flags=re.DOTALL)
    return re.sub(r"\]\([^)]*\)", "]", text)


def mentions(words, text):
    """Return each of *words* that is in *text* as a word, with its line in *text*."""
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, words))})\b", re.IGNORECASE)
    return [(found[0].lower(), text.count("\n", 0, found.start())) for found in pattern.finditer(text)]


def refused_names(source, file):
    """Return the retired words in the names of *source*, as `line: name (word)`."""
    names, words = set(retired("name")), set(retired("part"))
    return [
        f"{file.relative_to(ROOT)}:{line}: {name} ({word})"
        for name, line in identifiers(source, file)
        for word in sorted({name} & names | {*parts(name)} & words)
    ]


def refused_prose(source, file):
    """Return the retired words in comments, docstrings and texts of *source*, as `line: word`."""
    return [
        f"{file.relative_to(ROOT)}:{line + offset}: {word}"
        for text, line in texts(source)
        for word, offset in mentions(retired("prose"), text)
    ]


def test_glossary_retires_words_of_each_kind():
    assert {"part", "name", "prose"} == {kind for kind in ("part", "name", "prose") if len(retired(kind)) > 5}
    table = GLOSSARY.read_text("utf-8").partition("## Retired words")[2]
    assert len(ROW.findall(table)) == table.count("\n| `"), "A row does not have the form of the table."


@pytest.mark.parametrize("file", CODE, ids=lambda file: str(file.relative_to(ROOT)))
def test_code_has_no_retired_name(file):
    assert refused_names(file.read_text("utf-8"), file) == []


@pytest.mark.parametrize("file", CODE, ids=lambda file: str(file.relative_to(ROOT)))
def test_code_has_no_retired_word_in_its_prose(file):
    assert refused_prose(file.read_text("utf-8"), file) == []


@pytest.mark.parametrize("file", MARKDOWN, ids=lambda file: str(file.relative_to(ROOT)))
def test_document_has_no_retired_word(file):
    found = mentions(retired("prose"), prose(file.read_text("utf-8")))
    assert [f"{file.relative_to(ROOT)}:{line + 1}: {word}" for word, line in found] == []


@pytest.mark.parametrize("file", PLAIN, ids=lambda file: str(file.relative_to(ROOT)))
def test_build_file_has_no_retired_word(file):
    found = mentions(retired("prose"), file.read_text("utf-8"))
    assert [f"{file.relative_to(ROOT)}:{line + 1}: {word}" for word, line in found] == []


@pytest.mark.parametrize(
    "source",
    [
        "seam = 1",
        "import db.seam",
        "from db import seams as database",
        "class KeptAnswers: ...",
        "def open_seam(): ...",
        "def run(*, nobodys_rows): ...",
        "run(patience=1)",
        "request.exchange",
        "match 1:\n    case tally: ...",
        "try: ...\nexcept OSError as fault: ...",
    ],
)
def test_retired_name_is_found(source):
    assert refused_names(source, ROOT / "main.py")


def test_retired_module_is_found():
    assert refused_names("", ROOT / "db" / "seam.py")


def test_retired_word_in_the_prose_of_code_is_found():
    source = '"""Nobody\nwaits."""\ntext = f"a {1} fault"  # Whoever asks.\n'
    assert refused_prose(source, ROOT / "main.py") == ["main.py:3: whoever", "main.py:1: nobody", "main.py:3: fault"]


def test_retired_word_in_a_document_is_found_outside_of_code_only():
    text = "`nobody` and [link](nobody.md)\n\n    nobody\n\n```\nnobody\n```\n\nFor **nobody**.\n"
    assert mentions(retired("prose"), prose(text)) == [("nobody", 8)]


@pytest.mark.parametrize("source", ["inseam = 1", "default = 1", "context.record(1)", "x = 'seam'"])
def test_other_name_is_let_through(source):
    assert refused_names(source, ROOT / "main.py") == []
