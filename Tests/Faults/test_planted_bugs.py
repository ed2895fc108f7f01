"""The suite finds what it is for: each mistake that a debug build can make on purpose (shared/PlantedBugs) is noticed.

The same checks pass without the mistake: here where they are of their own, in the other files where they are a run and its judge.
"""
import hashlib
import random
import subprocess

import pytest
import clients
import history
import hosts
import injector
import judge
import run
from scenario import Fault, Scenario

RUNS_MAX = 4
DELAYED = [Fault("delay", 0.5, 7, hosts=(1,), amount=100), Fault("delay", 0.5, 7, hosts=(2,), amount=60)]
SLOW_DISKS = [Fault("slow disk", 0.5, 5, f"storage-{i}") for i in (1, 2, 3)]
# The run of each that shows it: faults, seconds, spare nodes.
RUNS = {
    "acknowledge-before-sync": ([*SLOW_DISKS, Fault("kill all", 3, 4)], 6, 0),
    "acknowledge-one-replica": (DELAYED, 7, 0),
    "read-one-replica": ([Fault("isolation", 1, 5, hosts=(1,))], 6, 0),
    "ignore-promises": (DELAYED, 7, 0),
    "skip-tombstones": ([Fault("kill", 1, 4, "storage-1"), Fault("kill", 4.5, 7, "storage-2")], 8, 0),
    "new-replicas-only": ([Fault("ring change", 1, 6, "storage-4 storage-5 storage-1 storage-2")], 6, 2),
}


@pytest.fixture(autouse=True)
def debug_build():
    strings = subprocess.run(["grep", "-c", "MARTLET_PLANTED_BUG", hosts.BINARIES / "martlet-storage"], capture_output=True)
    if strings.returncode != 0:
        pytest.skip("PLANTED BUGS NOT TESTED: not a debug build")


def planted(bug):
    return {"MARTLET_PLANTED_BUG": bug} if bug else {}


def short(bug):
    """One of them is always tried, and shows that the suite can fail."""
    return bug if bug in ("read-one-replica",) else pytest.param(bug, marks=pytest.mark.long)


@pytest.mark.parametrize("bug", [short(bug) for bug in RUNS])
def test_a_run_finds(bug):
    faults, seconds, spares = RUNS[bug]
    if reason := next((injector.unavailable().get(f.kind) for f in faults if f.kind in injector.unavailable()), None):
        pytest.skip(f"{bug} NOT TESTED: {reason}")
    for seed in range(RUNS_MAX):
        with run.cluster(nodes=3, spares=spares, environment=planted(bug)) as made:
            verdict, *_ = run.play(made, Scenario(seed, 3, spares, seconds, tuple(faults)))
        if verdict:
            print(f"run {seed + 1}: {verdict[0]}")
            return
    pytest.fail(f"{RUNS_MAX} runs with {bug} and nothing noticed")


# What hints bring is not left to repair

def missed_writes_arrive(made, within):
    """A node is cut off for a while; the repair process is away. Whether hints have brought it everything in time."""
    written = history.History()
    load = clients.Load(made, written, 1, "hints")
    with injector.Injector(made, made.folder) as faults:
        faults.inject(Fault("kill", 0, 60, "repair"))
        with load:
            faults.play([Fault("isolation", 1, 4, hosts=(3,))], 5)
        try:
            hosts.wait_for("equal replicas", lambda: all(equal(made, key) for key in load.keys), within)
            return True
        except hosts.Failure:
            return False


def equal(made, key):
    rows = (made.adm("whereis", f"{clients.BUCKET}/{key}", check=False) or {"assigned_info": []})["assigned_info"]
    return len(rows) == 3 and len({row.get("clock") for row in rows}) == 1


@pytest.mark.long
@pytest.mark.parametrize("bug, arrive", [(None, True), ("drop-hints", False)])
def test_hints_bring_what_a_node_missed(bug, arrive):
    with run.cluster(nodes=3, environment=planted(bug)) as made:
        assert missed_writes_arrive(made, 30 if arrive else 10) == arrive


# Damage is never served

OBJECTS, SIZE = 40, 400_000


def wrong_reads(made, rng):
    """Objects that are not what was written after bytes of one node have changed, read through every gateway."""
    for number in range(OBJECTS):
        answer = judge.request(made, "gateway-1", "PUT", f"damage-{number}", body=clients.content(f"damage-{number}", SIZE))
        assert answer.status == 200
    for log in sorted(made.home("storage-2").glob("disk-*/log/segment-*.log"))[:-1]:
        injector.flip(log, rng, 100)
    wrong = 0
    for gateway in made.gateways:
        for number in range(OBJECTS):
            answer = judge.request(made, gateway, "GET", f"damage-{number}")
            wrong += answer.status != 200 or f'"{hashlib.md5(answer.body).hexdigest()}"' != answer.headers["ETag"]
    return wrong


@pytest.mark.long
@pytest.mark.parametrize("bug", [None, "serve-damage"])
def test_damage_is_never_served(bug):
    with run.cluster(nodes=3, environment=planted(bug), settings=["repair.damage_interval=1h"]) as made:
        assert (wrong_reads(made, random.Random(1)) > 0) == (bug is not None)
