"""What is looked at when a number of objects is reached."""
import os
import pathlib
import signal
import statistics
import time
import urllib.request

from .filling import BUCKET, cpu_seconds

NODES = ["storage-1", "storage-2", "storage-3"]
PROCESSES = ["gateway", "manager", *NODES, "replicator", "repair"]
PAGES = [  # title, parameters of ListObjectsV2; `{middle}` is a folder in the middle
    ("first page", {}),
    ("from the middle", {"start-after": "{middle}"}),
    ("of a prefix", {"prefix": "{middle}"}),
    ("folders, delimiter /", {"delimiter": "/"}),
    ("ten keys", {"prefix": "{middle}0000001"}),
]


def look(made, objects, batches, say):
    """All figures of one checkpoint. The cluster is whole before and after."""
    figures = {"objects": objects}
    # Nodes that have been restarted have written their memtables: only then is the size of the index that of all objects.
    for name, what in (("memory", memory), ("restart", restart), ("comparison", comparison), ("disk", disk), ("difference", difference),
                       ("memory_after", memory)):
        say(f"  {name}")
        figures[name] = what(made)
    say("  pages")
    figures["pages"] = pages(made, batches)
    return figures


def disk(made):
    """Bytes of an average node: what of its log is in use, and what its index and its log take on the disk (segments are made ahead)."""
    sizes = {"active": sum(d["active_size"] for node in NODES for d in made.adm("du", node)["disks"])}
    for node in NODES:
        for file in (made.folder / "data" / node).rglob("*"):
            try:
                if file.is_file():
                    part = "index" if "index" in file.parts else "log" if "log" in file.parts or "segments" in file.parts else "other"
                    sizes[part] = sizes.get(part, 0) + file.stat().st_blocks * 512
            except FileNotFoundError:
                continue
    return {part: size // len(NODES) for part, size in sizes.items()}


def memory(made):
    """Resident bytes, and the largest they ever were."""
    found = {}
    for name in PROCESSES:
        status = pathlib.Path(f"/proc/{made.pid(name)}/status").read_text()
        found[name] = {"now": field(status, "VmRSS"), "peak": field(status, "VmHWM"), "anonymous": field(status, "RssAnon")}
    return found


def field(status, name):
    return int(status.split(f"{name}:")[1].split()[0]) * 1024


# MARK: Listings

def pages(made, batches, repetitions=10):
    """Milliseconds of the client and CPU of all processes for a page of at most 1,000."""
    s3, found = made.s3(), {}
    names = {"prefix": "Prefix", "delimiter": "Delimiter", "start-after": "StartAfter"}
    for title, query in PAGES:
        parameters = {names[key]: value.format(middle=f"d-{batches // 2:05}/") for key, value in query.items()}
        url = s3.generate_presigned_url("list_objects_v2", Params={"Bucket": BUCKET} | parameters)
        urllib.request.urlopen(url, timeout=60).read()
        times, before, body = [], cpu_seconds(made), b""
        for _ in range(repetitions):
            begun = time.monotonic()
            body = urllib.request.urlopen(url, timeout=60).read()
            times.append(time.monotonic() - begun)
        found[title] = {"milliseconds": statistics.median(times) * 1000, "cpu": (cpu_seconds(made) - before) * 1000 / repetitions,
                        "entries": body.count(b"<Contents>") + body.count(b"<CommonPrefixes>")}
    return found


# MARK: Restart and repair

def restart(made, node="storage-2"):
    """Seconds from the begin of the process until it is ready: after a clean stop, and after a kill."""
    return {"clean": restarted(made, node, signal.SIGTERM), "killed": restarted(made, node, signal.SIGKILL)}


def restarted(made, node, number):
    pid, hold = made.pid(node), made.folder / "run" / f"{node}.hold"
    hold.touch()
    begun = time.monotonic()
    os.kill(pid, number)
    until("the process to end", lambda: made.pid(node) != pid or not pathlib.Path(f"/proc/{pid}").exists(), 120)
    stopped = time.monotonic() - begun
    hold.unlink()
    until("the process to begin", lambda: made.alive(node) and made.pid(node) != pid, 60)
    begun = time.monotonic()
    until("the process to be ready", lambda: made.healthy(node, "ready"), 600)
    return {"stopping": stopped, "ready": time.monotonic() - begun}


def comparison(made):
    """Seconds until `recover-consistency` has proved that all replicas are equal: right after a restart of all nodes (the digests are made anew), and
    again (they are kept). With the number of comparisons that it took: a node whose digests take longer than a request may is asked again."""
    for node in NODES:
        restarted(made, node, signal.SIGTERM)
    return {"first": proved(made), "again": proved(made)}


def difference(made):
    """Seconds of a comparison that finds one register behind on one node."""
    for name in ("replicator", "storage-3"):
        made.kill(name)
    try:
        until("a put without the node", lambda: put(made), 60)
    finally:
        made.release("storage-3")
    try:
        return {"one": proved(made, "storage-3")}
    finally:
        made.release("replicator")


def put(made):
    try:
        return made.s3().put_object(Bucket=BUCKET, Key="z-difference", Body=os.urandom(64))
    except Exception:
        return None


def proved(made, node="storage-2"):
    """Comparisons one after the other until one has proved that the replicas are equal."""
    begun = time.monotonic()
    for attempt in range(1, 1000):
        task = compared(made, node)
        if task["state"] == "done" and task.get("proved"):
            own = (task["finished_milliseconds"] - task["started_milliseconds"]) / 1000
            return {"seconds": own if attempt == 1 else time.monotonic() - begun, "comparisons": attempt}
        if time.monotonic() > begun + 3600:
            break
    raise SystemExit(f"the replicas were not proved to be equal: {task}")


def compared(made, node):
    """The task of a comparison when it is over."""
    identity = made.adm("recover-consistency", node)["id"]

    def over():
        task = next((t for t in made.adm("tasks")["tasks"] if t["id"] == identity), None)
        return task if task and task["state"] in ("done", "failed", "cancelled") else None

    return until("the comparison", over, 3600, 0.1)


def until(what, condition, seconds, pause=0.01):
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise SystemExit(f"waited {seconds} s for {what}")
        time.sleep(pause)
    return value
