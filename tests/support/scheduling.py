"""A pytest plugin: how pytest-xdist hands the tests to its workers."""

import pytest

from tests.support.databases import KINDS


def pytest_collection_modifyitems(config, items):
    """With several workers, begin with what takes longest, so that none is left alone with it at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: (item.get_closest_marker("fuzz") is None, item.path.parent.name != "docs"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """
    Hand over one module on one kind of database at a time, unless `--dist` says otherwise.

    Fixtures of modules, which start services, are set up once for that. Those of the session are there once a worker.
    """
    if config.getoption("dist") != "load":
        return None
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415  # It is there when this hook is called.

    class ByModuleAndDatabase(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            module, _, name = nodeid.partition("::")
            kinds = [kind for kind in KINDS if kind in name.partition("[")[2]]
            return f"{module} {kinds}"

    config.option.loadscopereorder = False
    return ByModuleAndDatabase(config, log)
