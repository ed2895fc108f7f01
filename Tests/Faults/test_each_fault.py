"""Each kind of fault alone, on each node where that makes a difference."""
import pytest
import injector
import run
from scenario import Fault, Scenario

SECONDS = 8
FAULTS = {
    "a storage node is killed": [Fault("kill", 1, 3, "storage-2"), Fault("kill", 4, 7, "storage-3")],
    "all storage nodes are killed": [Fault("kill all", 2, 4)],
    "every process but storage is killed": [
        Fault("kill", 1, 3, "manager"), Fault("kill", 2, 5, "gateway-1"), Fault("kill", 2, 6, "replicator"), Fault("kill", 3, 7, "repair")],
    "processes are paused": [Fault("pause", 1, 4, "storage-1"), Fault("pause", 3, 7, "gateway-2"), Fault("pause", 4.5, 7, "manager")],
    "a partition": [Fault("partition", 1, 7, hosts=(1,))],
    "partitions one way": [Fault("one-way partition", 1, 4, hosts=(2,), amount=1), Fault("one-way partition", 4, 7, hosts=(2,), amount=-1)],
    "one bridge between two halves": [Fault("bridge", 1, 7, hosts=(2,))],
    "loss": [Fault("loss", 1, 7, hosts=(1,), amount=20), Fault("loss", 1, 7, hosts=(2,), amount=20)],
    "delay with jitter": [Fault("delay", 1, 7, hosts=(1,), amount=100), Fault("delay", 1, 7, hosts=(2,), amount=100)],
    "a slow link": [Fault("slow link", 1, 7, hosts=(3,), amount=2000)],
    "clocks two hours off": [Fault("clock jump", 1, 6, "storage-1", amount=7200), Fault("clock jump", 2, 7, "storage-2", amount=-7200)],
    "clocks that drift": [Fault("clock drift", 1, 6, "storage-3", amount=10), Fault("clock drift", 2, 7, "repair", amount=0.5)],
    "a slow disk": [Fault("slow disk", 1, 7, "storage-1")],
    "full disks": [Fault("full disk", 1, 6, "storage-1"), Fault("full disk", 2, 7, "storage-2")],
    "a disk that fails": [Fault("disk error", 1, 6, "storage-3")],
    "flipped bytes": [Fault("flipped bytes", 5, 6, "storage-2")],
}


@pytest.mark.long
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault(name):
    faults, missing = FAULTS[name], injector.unavailable()
    for fault in faults:
        if reason := missing.get(fault.kind):
            pytest.skip(f"{name.upper()} NOT TESTED: {reason}")
    with run.cluster(nodes=3) as made:
        verdict, *_ = run.play(made, Scenario(1, 3, 0, SECONDS, tuple(faults)))
        assert verdict == [], "\n".join([*verdict, made.last_log_lines()])


@pytest.mark.parametrize("host", [1, pytest.param(2, marks=pytest.mark.long), pytest.param(3, marks=pytest.mark.long)])
def test_an_isolated_node_says_503_and_never_lies(host):
    """Its gateway reaches no quorum: each request fails within five seconds. The others go on without an error."""
    with run.cluster(nodes=3) as made:
        verdict, history, played = run.play(made, Scenario(host, 3, 0, 14, (Fault("isolation", 1, 13, hosts=(host,)),)))
        span = played.spans()[0]
        lonely = [o for o in history.operations
                  if o.gateway == f"gateway-{host}" and span.begin <= o.call and o.returned <= span.end]
        assert len(lonely) >= 4 and {o.status for o in lonely} == {503}, lonely
        assert verdict == [], "\n".join(verdict)


@pytest.mark.long
@pytest.mark.parametrize("victim", ["storage-2", "storage-4"])
def test_a_node_is_restarted_while_the_ring_changes(victim):
    faults = (Fault("ring change", 1, 12, "storage-4"), Fault("kill", 1.2, 3, victim), Fault("kill", 4, 5, "manager"))
    with run.cluster(nodes=3, spares=1) as made:
        verdict, *_ = run.play(made, Scenario(1, 3, 1, 12, faults))
        assert made.ring_nodes() == ["storage-1", "storage-2", "storage-3", "storage-4"]
        assert verdict == [], "\n".join([*verdict, made.last_log_lines()])
