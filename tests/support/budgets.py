"""A pytest plugin: modules that take longer than they should are named at the end of a run. None fails for it."""

from collections import Counter

import pytest


def pytest_addoption(parser):
    parser.addoption(
        "--module-budget", type=float, default=20, metavar="SECONDS",
        help="name the test modules that take longer than this, set-up and tear-down included (default: 20)",
    )  # fmt: skip


def pytest_configure(config):
    config.pluginmanager.register(_Budgets(config.getoption("module_budget")))


class _Budgets:
    """Adds up the durations of the reports; with pytest-xdist, they are those of all workers."""

    def __init__(self, budget):
        self.budget, self.seconds = budget, Counter()

    def pytest_runtest_logreport(self, report):
        self.seconds[report.nodeid.partition("::")[0]] += report.duration

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter):
        over = [(module, seconds) for module, seconds in self.seconds.most_common() if seconds > self.budget]
        if over:
            terminalreporter.section(f"modules over their budget of {self.budget:g} s")
            for module, seconds in over:
                terminalreporter.line(f"{seconds:7.1f} s  {module}")
