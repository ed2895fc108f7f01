"""How fast a node whose disk was emptied is whole again, of the rate that is set free for it."""
import sys
import time

from cluster_life import life
import storage_nodes

# Mostly small objects, mostly large bytes, as in practice.
SIZES = "1KiB..64KiB=70,256KiB..2MiB=25,8MiB..24MiB=5"
OBJECTS_MAX = 1_000_000
NODE = "storage-2"


def measure(options):
    rows = []
    # Nothing but the rate of bytes is to hold it up.
    with life.cluster(options, f"repair.rate_objects_per_second={OBJECTS_MAX}", "repair.memory_interval=1s") as made:
        size = fill(made, options.megabytes)
        print(f"{size >> 20} MiB on each node", file=sys.stderr)
        for rate in (float(word) for word in options.rates.split(",")):
            rows.append(recover(made, round(rate * (1 << 20))))
            show(rows[-1])
    print("| set free | copied | in | achieved | part |")
    print("|---|---|---|---|---|")
    for row in rows:
        print(f"| {mib(row['rate'])}/s | {mib(row['bytes'])} | {row['seconds']:.1f} s | {mib(row['achieved'])}/s "
              f"| **{row['achieved'] / row['rate']:.2f}** |")
    return rows


def mib(count):
    return f"{count / (1 << 20):.1f} MiB"


def show(row):
    print(f"{mib(row['bytes'])} in {row['seconds']:.1f} s; estimates of the end, by the part that was done: {row['estimates']}",
          file=sys.stderr)


def fill(made, megabytes):
    """Writes objects until there are so many; returns the content of one node."""
    made.s3().create_bucket(Bucket="recovery")
    number = 0
    while (held := active(made, NODE)) < megabytes << 20:
        number += 1
        code, out, err = made.run_program(
            "load", "run", "--bucket", "recovery", "--mix", "put", "--size", SIZES, "--prefix", f"{number}/", "--count", 100,
            "--keys", 100, "--concurrency", 4, "--seed", number, timeout=300)
        assert code == 0, out + err
    return held


def active(made, node):
    return sum(disk["active_size"] for disk in made.adm("du", node)["disks"])


def recover(made, rate):
    """From the moment when the empty disk is there until it votes, and the digests of all replicas are equal."""
    made.adm("tasks", "throttle", "repair:memory-recovery", "--bytes", str(rate))
    life.lose_disk(made, NODE)
    begun, before, estimates = time.time(), copied(made), []
    while not life.is_whole(made, NODE):
        task = next(t for t in made.adm("tasks")["tasks"] if t["kind"] == "memory-recovery")
        if task["state"] == "running" and task.get("estimated_end_milliseconds"):
            estimates.append((time.time(), task["estimated_end_milliseconds"] / 1000))
        time.sleep(1)
        assert time.time() < begun + 900, made.adm("repair-status")
    ended = time.time()
    assert storage_nodes.all_equal(made), "the digests of some replicas differ"
    return {"rate": rate, "bytes": copied(made) - before, "seconds": ended - begun,
            "achieved": (copied(made) - before) / (ended - begun), "estimates": at_parts(estimates, begun, ended)}


def copied(made):
    return made.metric("repair", "martlet_repair_bytes_total")


def at_parts(estimates, begun, ended):
    """What was said of the end after a quarter, half and three quarters, in seconds beside the truth."""
    found = {}
    for part in (0.25, 0.5, 0.75):
        near = min(estimates, key=lambda e: abs(e[0] - begun - part * (ended - begun)), default=None)
        found[part] = near and round(near[1] - ended, 1)
    return found
