"""Options of the fault suite. `compose/test --faults` passes them on.

--short          a few short runs and one of each special test: under ten minutes on two cores, mostly two
--count N        random runs (default 20; with --short 3)
--duration S     seconds that faults and clients last in each (default 20; with --short 8)
--seed N         the first seed; the same seed gives the same faults. With --count 1 it repeats one run
--record FILE    adds a line of CSV for each random run
"""
import pathlib
import random
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import hosts  # noqa: E402
import network  # noqa: E402

REASON = network.unavailable()


def pytest_addoption(parser):
    group = parser.getgroup("faults")
    group.addoption("--short", action="store_true")
    group.addoption("--count", type=int)
    group.addoption("--duration", type=float)
    group.addoption("--seed", type=int)
    group.addoption("--record")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: left out with --short")


def pytest_collection_modifyitems(config, items):
    for item in items:
        if REASON:
            item.add_marker(pytest.mark.skip(reason=f"FAULTS BETWEEN HOSTS NOT TESTED: {REASON}"))
        elif config.getoption("--short") and item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="only in the whole fault suite: compose/test --faults"))


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        option = metafunc.config.getoption
        first = option("--seed")
        if first is None:
            first = random.randrange(1 << 20) * 1000
        count = option("--count") or (1 if option("--seed") is not None else 3 if option("--short") else 20)
        metafunc.parametrize("seed", range(first, first + count))


@pytest.fixture
def duration(request):
    return request.config.getoption("--duration") or (8 if request.config.getoption("--short") else 20)


@pytest.fixture(scope="session", autouse=True)
def binaries():
    if not (hosts.BINARIES / "martlet-gateway").exists():
        pytest.fail(f"no binaries in {hosts.BINARIES}: build first, or set MARTLET_BIN")
