"""The published YAML is what PyYAML writes."""

import yaml
from hypothesis import given
from hypothesis import strategies as st

from accord.contract.published_yaml import to_yaml

TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    [
        "null",
        "~",
        "yes",
        "1",
        "1.0",
        "0x1f",
        "2026-11-30",
        "=",
        "<<",
        "- a",
        "a: b",
        "# a",
        "a\n\nb\n",
        " a ",
        "!a",
        "&a",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS | TEXTS | st.sampled_from([0, 0.0, -0.0, False, 1, 1.0, True]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=30,
)


@given(VALUES)
def test_values_are_written_as_by_the_dumper(value):
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    # An empty list that is there twice must not become an anchor, which JSON values that were parsed have not.
    dumper = type("Dumper", (dumper,), {"ignore_aliases": lambda *_: True})
    assert to_yaml(value) == yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True, width=120).encode()
