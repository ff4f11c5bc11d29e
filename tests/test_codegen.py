"""Functions from generated source."""

import gc
import linecache
import traceback

import pytest

from accord.codegen import define


def test_traceback_shows_the_source_for_as_long_as_the_function_is_there():
    half = define("half", "def half(value):\n    return value / divisor\n", {"divisor": 0})
    with pytest.raises(ZeroDivisionError) as failed:
        half(1)
    (frame,) = [each for each in traceback.extract_tb(failed.value.__traceback__) if each.name == "half"]
    assert frame.line == "return value / divisor"
    del half, failed
    gc.collect()
    assert frame.filename not in linecache.cache
