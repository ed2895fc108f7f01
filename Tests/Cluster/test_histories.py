"""Many clients on few keys while processes are killed: the recorded history must be linearizable."""
import json
import random

import pytest
from conftest import wait_until


@pytest.mark.parametrize("mix", ["put=40,get=60", "put=35,get=55,delete=10"])
def test_histories_stay_linearizable_while_nodes_are_killed(cluster, tmp_path, mix):
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    rng, history = random.Random(seed), tmp_path / "history.jsonl"
    load = cluster.start_program(
        "load", "run", "--bucket", "histories", "--mix", mix, "--keys", 6, "--size", "200..3000", "--concurrency", 8,
        "--duration", 25, "--timeout", 10, "--rate", 150, "--seed", seed, "--prefix", f"{seed}/", "--history", history, "--json")
    wait_until("the load to begin", lambda: history.exists() and history.stat().st_size > 5000, 20)
    killed = 0
    for node in rng.sample(["storage-1", "storage-2", "storage-3", "gateway"], 4):
        if load.poll() is not None:
            break
        cluster.kill(node)
        killed += 1
        wait_until("some more requests", more(load, history, 5_000), 30)
        cluster.release(node)
    out, err = load.communicate(timeout=240)
    result = json.loads(out.splitlines()[-1])
    assert killed >= 2
    assert result["wrong_bytes"] == 0, out
    assert result["requests"] > 300, out + err
    code, out, err = cluster.run_program("load", "verify", history)
    assert code == 0, out + err


def more(load, history, size):
    """The history has grown by so many bytes, or the load has ended."""
    start = history.stat().st_size
    return lambda: load.poll() is not None or history.stat().st_size > start + size


def test_one_storage_node_down_gives_no_client_error(cluster, tmp_path):
    acknowledged = tmp_path / "acknowledged.jsonl"
    load = cluster.start_program(
        "load", "run", "--bucket", "no-errors", "--mix", "put=60,get=40", "--keys", 20, "--size", "1KiB..100KiB",
        "--concurrency", 8, "--duration", 10, "--rate", 200, "--acknowledged", acknowledged, "--json")
    wait_until("the load to begin", lambda: acknowledged.exists() and acknowledged.stat().st_size > 5000, 20)
    cluster.kill("storage-2")
    out, err = load.communicate(timeout=60)
    cluster.release("storage-2")
    result = json.loads(out.splitlines()[-1])
    assert (result["errors"], result["wrong_bytes"]) == (0, 0), out + err
    code, out, err = cluster.run_program("load", "check", acknowledged, "--bucket", "no-errors")
    assert code == 0, out + err
