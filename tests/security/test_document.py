"""docs/security.md has every item and its test, and names only what is there."""

import re

import pytest

from tests.security import test_owasp_2019, test_owasp_2023
from tests.support.server import ROOT

TEXT = ROOT.joinpath("docs", "security.md").read_text("utf-8")
NAMED = set(re.findall(r"(API\d+):(20\d\d) `(test_\w+)`", TEXT))


@pytest.mark.parametrize("module", [test_owasp_2019, test_owasp_2023], ids=["2019", "2023"])
def test_each_item_has_its_test_and_its_row(module):
    tests = {name for name in vars(module) if name.startswith("test_")}
    year = module.__name__[-4:]
    assert {test for _, when, test in NAMED if when == year} == tests
    assert {item for item, when, test in NAMED if when == year and test.startswith(f"test_{item.lower()}_")} == {
        f"API{number}" for number in range(1, 11)
    }


def test_files_that_are_named_are_there():
    assert [file for file in re.findall(r"`([\w/.]+\.py)`", TEXT) if not ROOT.joinpath(file).exists()] == []
