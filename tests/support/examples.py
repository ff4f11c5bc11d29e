"""
How many examples hypothesis tries: few with `make test`, many with `make fuzz`.

With `make fuzz` they are other ones each time, where a test does not say otherwise.
"""

import os

from hypothesis import settings

_TIMES = {"few": 1, "many": 20}
PROFILE = "many" if "FUZZ_MINUTES" in os.environ else "few"

for name, times in _TIMES.items():
    settings.register_profile(name, deadline=None, max_examples=100 * times)
settings.load_profile(PROFILE)


def examples(few):
    """Return how many examples to try where *few* are enough with `make test`."""
    return few * _TIMES[PROFILE]
