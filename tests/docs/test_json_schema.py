"""The page on JSON Schema lists what is enforced, what is an annotation, and what refuses to start."""

import re

from accord.contract import keywords
from tests.support.server import ROOT

PAGE = ROOT.joinpath("docs/json-schema.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## (.*?)$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def names(text):
    return set(re.findall(r"`([^`]+)`", text))


def first_column(text):
    return set().union(*(names(row.split("|")[1]) for row in text.splitlines() if row.startswith("|")))


def test_page_lists_every_format():
    asserted, annotations = SECTIONS["Formats"].split("These formats are annotations:")
    assert first_column(asserted) == set(keywords.ASSERTED_FORMATS)
    assert first_column(annotations) == set(keywords.ANNOTATION_FORMATS)


def test_page_lists_every_annotation():
    assert names(SECTIONS["Annotations"].split("constrain no value")[0]) == keywords.ANNOTATIONS


def test_page_lists_every_refused_keyword():
    assert first_column(SECTIONS["Refused"]) >= set(keywords.REFUSED) | set(keywords.DEPENDS_ON)
