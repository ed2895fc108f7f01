"""Latency on a quiet cluster and while it changes."""
import json
import os
import signal
import statistics
import sys
import time

from cluster_life import life
import storage_nodes

MIX = "put=30,multipart=1,get=55,head=5,delete=4,list=5"
PARTITIONS, REPLICAS = 128, 3
KINDS = ["get", "put", "head", "delete", "list", "multipart"]
STAGES = ["three to five", "a lost disk", "five to four"]


class Load:
    """martlet-load until `end`, at a fixed rate."""

    def __init__(self, made, options, *more):
        self.process = made.start_program(
            "load", "run", "--bucket", "life", "--mix", MIX, "--size", "1KiB..32KiB=95,1MiB..6MiB=5", "--part-size", "5MiB",
            "--keys", options.keys, "--concurrency", 32, "--rate", options.rate, "--json", "--no-progress", *more)

    def end(self, signalled=True):
        if signalled:
            self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, out + err
        return json.loads(out.splitlines()[-1])


def measure(options):
    rounds = []
    for number in range(1, options.runs + 1):
        rounds.append(one_run(options))
        print(f"\nrun {number} of {options.runs}")
        show(rounds[-1:])
    if options.runs > 1:
        print(f"\nmedians of {options.runs} runs")
        show(rounds)
    return rounds


def one_run(options):
    """Stage to the report of its load, with what was moved."""
    found = {}
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}", file=sys.stderr)
    with life.cluster(options, f"manager.partitions={PARTITIONS}") as made:
        Load(made, options, "--prepare", "--duration", "5s").end(signalled=False)
        found["quiet"] = Load(made, options, "--duration", f"{options.quiet}s").end(signalled=False)
        with storage_nodes.more_storage_nodes(made, 4, 5):
            found["three to five"] = during(made, options, lambda: rebalance(made))
            found["a lost disk"] = during(made, options, lambda: replace_disk(made, "storage-2"))
            found["five to four"] = during(made, options, lambda: leave(made, "storage-1"))
    return found


def during(made, options, change):
    load = Load(made, options, "--duration", "30m")
    time.sleep(1)
    begun = time.monotonic()
    try:
        moved = change()
    except BaseException:
        load.process.kill()
        raise
    seconds = time.monotonic() - begun
    report = load.end() | {"change_seconds": round(seconds, 1), "moved": moved}
    print(f"{seconds:.1f} s: {moved}", file=sys.stderr)
    return report


def rebalance(made):
    moves = made.adm("rebalance")["moves"]
    life.wait_until("the plan", lambda: made.adm("rebalance-status")["phase"] == "done", 240)
    report = made.adm("rebalance-status")
    return {"replicas of partitions": moves, "copies": report["copied"]}


def leave(made, node):
    made.adm("detach", node)
    return rebalance(made)


def replace_disk(made, node):
    life.lose_disk(made, node)
    life.wait_until("the new disk to be whole", lambda: life.is_whole(made, node), 240)
    return {"disk": node}


def show(rounds):
    """A row for each kind; of several rounds medians, the ratios taken within each."""
    def p99(found, stage, kind):
        return 1000 * found[stage]["operations"][kind]["latency_seconds"]["p99"]
    print(f"| | quiet | {' | '.join(f'{stage} | ratio' for stage in STAGES)} |")
    print("|---" * (2 + 2 * len(STAGES)) + "|")
    for kind in [*KINDS, "all"]:
        for found in rounds:
            for report in found.values():
                report["operations"]["all"] = report["total"]
        cells = [f"{statistics.median(p99(found, 'quiet', kind) for found in rounds):.1f}"]
        for stage in STAGES:
            cells.append(f"{statistics.median(p99(found, stage, kind) for found in rounds):.1f}")
            ratio = statistics.median(p99(found, stage, kind) / p99(found, "quiet", kind) for found in rounds)
            cells.append(f"{ratio:.1f}")
        print(f"| {kind} | {' | '.join(cells)} |")
    for stage in STAGES:
        print(f"{stage}: " + "; ".join(f"{found[stage]['change_seconds']} s, {found[stage]['requests']} requests, {found[stage]['moved']}"
                                       for found in rounds))
