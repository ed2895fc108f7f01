"""The network of the tests does what it says: without that, no run with a fault of it proves anything."""
import contextlib
import socket
import statistics
import time

import pytest
import network

PORT = 7000


@pytest.fixture(scope="module")
def hosts():
    made = network.Network(3)
    try:
        listeners = [made.call(host, listen, host) for host in made.hosts]
        yield made
        for listener in listeners:
            listener.close()
    finally:
        made.close()


@pytest.fixture
def healed(hosts):
    yield hosts
    hosts.heal()


def listen(host):
    """What it accepts waits in its queue: the kernel answers."""
    listener = socket.create_server((network.address(host), PORT), backlog=1000)
    listener.settimeout(5)
    return listener


def connect(host, timeout):
    begun = time.monotonic()
    with contextlib.suppress(OSError), socket.create_connection((network.address(host), PORT), timeout=timeout):
        return time.monotonic() - begun


def reaches(hosts, a, b, timeout=0.3):
    """Seconds that it takes to connect; None: it does not."""
    return hosts.call(a, connect, b, timeout)


def test_a_cut_is_silent_and_concerns_its_links_only(healed):
    assert all(reaches(healed, a, b) for a, b in [(1, 2), (2, 1), (1, 3), (2, 3)])
    healed.cut([(1, 2)])
    assert reaches(healed, 1, 2) is None and reaches(healed, 2, 1) is None, "there is no connection without answers"
    assert reaches(healed, 1, 3) and reaches(healed, 3, 2) and reaches(healed, 2, 3)
    healed.heal()
    assert reaches(healed, 1, 2) and reaches(healed, 2, 1)


def test_a_delay_is_one_for_both_ways(healed):
    healed.delay([(1, 2)], 50)
    assert statistics.median(reaches(healed, 1, 2, 2) for _ in range(5)) >= 0.1
    assert reaches(healed, 1, 3) < 0.1
    healed.cut([(2, 1)])
    assert reaches(healed, 1, 2) is None, "what is carried can be cut"


def test_loss_loses_some(healed):
    healed.lose([(1, 2), (2, 1)], 40)
    arrived = [reaches(healed, 1, 2, 0.05) for _ in range(60)]
    assert 5 < sum(time is not None for time in arrived) < 50
    assert all(reaches(healed, 1, 3) for _ in range(20))
