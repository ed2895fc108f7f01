"""Storage nodes beyond those that a cluster was made with, plans of the ring, and digests of replicas."""
import contextlib
import json
import os
import subprocess

from conftest import wait_until


def states(cluster):
    """Node to its state, as the manager says."""
    return {node["node"]: node["state"] for node in cluster.adm("status")["node_list"]}


def holds(cluster):
    """Node to the number of its replicas of partitions."""
    return {node["node"]: node["holds"] for node in cluster.adm("rebalance-status")["nodes"]}


@contextlib.contextmanager
def more_storage_nodes(cluster, *numbers):
    """Starts nodes of these numbers, waits until they are attached, and stops them at the end."""
    started = {}
    try:
        for place, number in enumerate(numbers):
            started[f"storage-{number}"] = start_storage_node(cluster, number, cluster.port_base + 110 + 5 * place)
        for name in started:
            wait_until_attached(cluster, name)
        yield started
    finally:
        for process in started.values():
            process.terminate()
        for process in started.values():
            process.wait(120)


def wait_until_attached(cluster, name):
    """Until it is a member and answers verbs: it is attached a moment before it has started."""
    wait_until(f"{name} to attach", lambda: states(cluster).get(name) == "attached", 60)
    wait_until(f"{name} to answer", lambda: cluster.run_program("adm", "du", name)[0] == 0, 60)


def start_storage_node(cluster, number, port):
    """The process of a node that is configured as storage-3 is, on other ports."""
    name = f"storage-{number}"
    text = (cluster.folder / "config" / "storage-3.toml").read_text()
    first = cluster.admin_port("storage-3") - 3
    for offset in (0, 1, 3):
        text = text.replace(f"127.0.0.1:{first + offset}\"", f"127.0.0.1:{port + offset}\"")
    config = cluster.folder / "config" / f"{name}.toml"
    config.write_text(text.replace("storage-3", name))
    with open(cluster.folder / "log" / f"{name}.log", "ab") as log:
        return subprocess.Popen(
            [cluster.program("storage"), "--config", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=os.environ | cluster.env)


# Plans

def wait_for_plan(cluster, seconds=60):
    """The report of the plan, once it is over."""
    def over():
        report = cluster.adm("rebalance-status")
        return report if report["phase"] in ("done", "withdrawn") else None
    return wait_until("the plan to be over", over, seconds, 0.5)


def ring_nodes(cluster):
    """Those that hold replicas, as one of them says."""
    for node in (name for name in states(cluster) if name.startswith("storage-")):
        code, out, _ = cluster.run_program("adm", "dump-ring", node, "--json")
        if code == 0:
            return sorted({name for partition in json.loads(out)["partitions"] for name in partition["nodes"]})
    raise AssertionError("no storage node tells its ring")


# Digests

def all_equal(cluster, nodes=None, seconds=60):
    """The digests of all replicas, as a comparison of everything finds them. `nodes`: those of the ring, if they are known."""
    for node in nodes or ring_nodes(cluster):
        cluster.adm("recover-consistency", node)
        status = wait_until("the comparison to end", lambda: finished(cluster), seconds)
        if not status["all_equal"]:
            return False
    return True


def finished(cluster):
    status = cluster.adm("repair-status")
    return status if status["state"] in ("done", "failed") else None
