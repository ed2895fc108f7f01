"""Random faults on a cluster of 3 to 5 storage nodes under load; the seed says which. Afterwards everything must be right."""
import csv
import os
import pathlib
import subprocess
import sys
import time

import pytest
import hosts
import injector
import run
import scenario

COLUMNS = ["seed", "nodes", "seconds", "operations", "unknown", "whole_after_seconds", "result", "faults"]


def test_random_faults(seed, duration, request):
    missing = injector.unavailable()
    kinds = [kind for kind in scenario.KINDS if kind not in missing]
    plan = scenario.random_scenario(seed, duration, kinds, managers=(1, 3) if hosts.HAS_ETCD else (1,))
    print(plan)
    with run.cluster_of(plan) as made:
        verdict, history, played = run.play(made, plan)
        record(request.config.getoption("--record"), plan, verdict, history)
        assert verdict == [], "\n".join([str(plan), *verdict, *(f"{at - played.began:.2f} s: {what}" for at, what in played.log),
                                         made.last_log_lines()])


def test_several_managers_can_run():
    """Without etcd every run has one manager."""
    if not hosts.HAS_ETCD:
        pytest.skip("SEVERAL MANAGERS NOT TESTED: etcd-server IS NOT INSTALLED")


def test_a_clock_can_be_two_hours_off(tmp_path):
    """Without this the faults of clocks are left out of the runs."""
    if reason := injector.unavailable().get("clock jump"):
        pytest.skip(f"CLOCKS NOT TESTED: {reason}")
    (tmp_path / "clock").write_text("+7200\n")
    environment = os.environ | {"LD_PRELOAD": hosts.FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(tmp_path / "clock")}
    shown = int(subprocess.run(["date", "+%s"], env=environment, capture_output=True, text=True, check=True).stdout)
    assert 7190 < shown - time.time() < 7210


def test_a_sync_can_fail(tmp_path):
    """Without this failing and slow disks are left out of the runs."""
    if reason := injector.unavailable().get("disk error"):
        pytest.skip(f"FAILING AND SLOW DISKS NOT TESTED: {reason}")
    program = f"import os; os.fdatasync(os.open('{tmp_path}/file', os.O_CREAT | os.O_WRONLY))"
    done = subprocess.run(["strace", "-o", "/dev/null", "-e", "inject=fdatasync:error=EIO", sys.executable, "-c", program],
                          capture_output=True, text=True)
    assert done.returncode != 0 and "Errno 5" in done.stderr


def record(file, plan, verdict, history):
    if not file:
        return
    path, operations = pathlib.Path(file), history.operations
    row = {
        "seed": plan.seed, "nodes": plan.nodes, "seconds": f"{plan.seconds:g}", "operations": len(operations),
        "unknown": sum(o.outcome == "unknown" for o in operations), "whole_after_seconds": verdict.seconds.get("listed", ""),
        "result": "passed" if not verdict else "FAILED: " + verdict[0][:120], "faults": plan.events,
    }
    is_new = not path.exists()
    with open(path, "a", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS)
        if is_new:
            writer.writeheader()
        writer.writerow(row)
