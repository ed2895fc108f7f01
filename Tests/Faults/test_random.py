"""Random faults on a cluster of 3 to 5 storage nodes under load; the seed says which. Afterwards everything must be right."""
import csv
import pathlib

import pytest
import injector
import run
import scenario

COLUMNS = ["seed", "nodes", "seconds", "operations", "unknown", "whole_after_seconds", "result", "faults"]


def test_random_faults(seed, duration, request):
    missing = injector.unavailable()
    kinds = [kind for kind in scenario.KINDS if kind not in missing]
    plan = scenario.random_scenario(seed, duration, kinds)
    print(plan)
    with run.cluster(nodes=plan.nodes, spares=plan.spares) as made:
        verdict, history, played = run.play(made, plan)
        record(request.config.getoption("--record"), plan, verdict, history)
        assert verdict == [], "\n".join([str(plan), *verdict, *(f"{at - played.began:.2f} s: {what}" for at, what in played.log),
                                         made.last_log_lines()])


@pytest.mark.parametrize("kind", ["clock jump", "disk error"])
def test_every_kind_of_fault_can_be_made_here(kind):
    if reason := injector.unavailable().get(kind):
        pytest.skip(f"FAULT NOT TESTED: {kind}: {reason}")


def record(file, plan, verdict, history):
    if not file:
        return
    path, operations = pathlib.Path(file), history.operations
    row = {
        "seed": plan.seed, "nodes": plan.nodes, "seconds": f"{plan.seconds:g}", "operations": len(operations),
        "unknown": sum(o.outcome == "unknown" for o in operations), "whole_after_seconds": verdict.seconds.get("listed", ""),
        "result": "passed" if not verdict else "FAILED: " + verdict[0][:120], "faults": "; ".join(map(str, plan.faults)),
    }
    is_new = not path.exists()
    with open(path, "a", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS)
        if is_new:
            writer.writeheader()
        writer.writerow(row)
