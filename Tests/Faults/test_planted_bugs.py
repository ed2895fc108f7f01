"""The suite finds what it is for: each mistake that a debug build can make on purpose (shared/PlantedBugs) is noticed.

The same checks pass without the mistake: here where they are of their own, in the other files where they are a run and its judge.
"""
import dataclasses
import hashlib
import random
import subprocess
import time

import pytest
import clients
import hosts
import injector
import judge
import run
from scenario import Fault, Scenario

RUNS_MAX = 4
DELAYED = [Fault("delay", 0.5, 7, hosts=(1,), amount=100), Fault("delay", 0.5, 7, hosts=(2,), amount=60)]
SLOW_DISKS = [Fault("slow disk", 0.5, 5, f"storage-{i}") for i in (1, 2, 3)]


def scenario(faults, seconds, **more):
    return Scenario(0, 3, more.pop("spares", 0), seconds, tuple(faults), **more)


# The run of each that shows it.
RUNS = {
    "acknowledge-before-sync": scenario([*SLOW_DISKS, Fault("kill all", 3, 4)], 6),
    "acknowledge-one-replica": scenario(DELAYED, 7),
    "read-one-replica": scenario([Fault("isolation", 1, 5, hosts=(1,))], 6),
    "ignore-promises": scenario(DELAYED, 7),
    "skip-tombstones": scenario([Fault("kill", 1, 4, "storage-1"), Fault("kill", 4.5, 7, "storage-2")], 8),
    "new-replicas-only": scenario([Fault("ring change", 1, 6, "storage-4 storage-5 storage-1 storage-2")], 6, spares=2),
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
    planned = RUNS[bug]
    missing = injector.unavailable()
    if reason := next((missing[fault.kind] for fault in planned.faults if fault.kind in missing), None):
        pytest.skip(f"{bug} NOT TESTED: {reason}")
    for seed in range(RUNS_MAX):
        with run.cluster_of(planned, environment=planted(bug)) as made:
            verdict, *_ = run.play(made, dataclasses.replace(planned, seed=seed))
        if verdict:
            print(f"run {seed + 1}: {verdict[0]}")
            return
    pytest.fail(f"{RUNS_MAX} runs with {bug} and nothing noticed")


# What hints bring is not left to repair

def missed_writes_arrive(made, within):
    """A node is dead while objects are put; the repair process is away. Whether hints have brought it everything in time."""
    keys, death = [f"missed/{number}" for number in range(40)], Fault("kill", 0, 60, "storage-3")
    with injector.Injector(made, made.folder) as faults:
        faults.inject(Fault("kill", 0, 60, "repair"))
        faults.inject(death)
        for number, key in enumerate(keys):
            assert judge.request(made, f"gateway-{1 + number % 2}", "PUT", key, body=b"missed").status == 200
        # For 1.5 s a writer waits for the last replica: what is under way would still reach it.
        time.sleep(3)
        faults.heal(death)
        try:
            hosts.wait_for("equal replicas", lambda: all(equal(made, key) for key in keys), within)
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


# Nothing deleted comes back after its tombstone is gone

def deleted_come_back(made):
    """Objects are deleted while a node is dead, tombstones are purged, and it returns. How many are there again afterwards."""
    keys, death = [f"gone/{number}" for number in range(40)], Fault("kill", 0, 60, "storage-3")
    for number, key in enumerate(keys):
        assert judge.request(made, f"gateway-{1 + number % 2}", "PUT", key, body=b"old").status == 200
    with injector.Injector(made, made.folder) as faults:
        faults.inject(death)
        for number, key in enumerate(keys):
            assert judge.request(made, f"gateway-{1 + number % 2}", "DELETE", key).status == 204
        for _ in range(3):
            purge(made)
        faults.heal(death)
        task = made.adm("recover-node", "storage-3")["id"]
        hosts.wait_for("equal replicas", lambda: finished(made, task), 60)
    purge(made)
    return sum(judge.request(made, "gateway-1", "GET", key).status == 200 for key in keys)


def purge(made):
    """Also what was deleted a moment ago; repair sees to it that every replica has the tombstone."""
    task = made.adm("purge-tombstones", "--older-than", "0s", "--force")["id"]
    hosts.wait_for("the purge", lambda: finished(made, task), 30)


def finished(made, id):
    tasks = (made.adm("tasks", check=False) or {"tasks": []})["tasks"]
    return next((task for task in tasks if task["id"] == id and task["state"] == "done"), None)


@pytest.mark.long
@pytest.mark.parametrize("bug, come_back", [(None, False), ("purge-without-proof", True)])
def test_nothing_deleted_comes_back_after_a_purge(bug, come_back):
    with run.cluster(nodes=3, environment=planted(bug), settings=["repair.tombstone_interval=1h"]) as made:
        assert (deleted_come_back(made) > 0) == come_back


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


@pytest.mark.parametrize("bug", [None, "serve-damage"])
@pytest.mark.parametrize("in_place", ["true", "false"])
def test_damage_is_never_served(bug, in_place):
    settings = ["repair.damage_interval=1h", f"gateway.short_circuit_reads={in_place}"]
    with run.cluster(nodes=3, environment=planted(bug), settings=settings) as made:
        assert (wrong_reads(made, random.Random(1)) > 0) == (bug is not None)
