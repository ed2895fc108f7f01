"""What must hold after a run: in time, and for everything that clients were told."""
import http.client
import re
import subprocess

import s3
from clients import BUCKET, content, entries
from history import Operation
from hosts import Failure, now, wait_for

HEALED_WITHIN_SECONDS = 60
MINORITY_ANSWERS_WITHIN_SECONDS = 5
# A process may have as much to do when the machine has other work.
ANSWER_WITHIN_SECONDS = 12
JUDGE = 900


class Verdict(list):
    """Faults that were found, each a line. Empty: all is well."""

    def __init__(self):
        self.seconds = {}


def judge(cluster, load, history, injector, folder):
    """Waits until the cluster is whole again, and then looks at everything that it has answered."""
    verdict, healed = Verdict(), now()
    verdict += [f"{name} ended by itself with {code}" for name, code in cluster.crashed().items()]
    if not verdict:
        for what, step in (("serving", becomes_ready), ("readable", first_reads), ("plan over", plan_ends),
                           ("undamaged", undamaged), ("equal", replicas_equal), ("listed", listings_equal)):
            left = HEALED_WITHIN_SECONDS - (now() - healed)
            try:
                step(cluster, load, history, injector, max(left, 1))
            except (Failure, OSError, subprocess.TimeoutExpired) as failure:
                verdict.append(f"not {what} {now() - healed:.0f} s after healing: {failure}")
                break
            verdict.seconds[what] = round(now() - healed, 1)
    verdict += [f"{name} ended by itself with {code}" for name, code in cluster.crashed().items()]
    verdict += history.wrong[:5]
    if not verdict:
        verdict += lost_versions(cluster, load, history)[:5]
    verdict += history.stale_entries()[:5]
    verdict += check_history(cluster, history, folder)
    verdict += slow_answers(cluster, history, injector)[:5]
    return verdict


# The cluster becomes whole

def becomes_ready(cluster, load, history, injector, left):
    for name in cluster.processes_of_martlet:
        wait_for(f"{name} to be ready", lambda: cluster.healthy(name, "ready"), left)
    for gateway in cluster.gateways:
        wait_for(f"{gateway} to have quorums", lambda: cluster.healthy(gateway, "cluster"), left)


def first_reads(cluster, load, history, injector, left):
    end = now() + left
    for gateway in cluster.gateways:
        for key in load.keys:
            wait_for(f"{gateway} to answer for {key}", lambda: final_read(cluster, history, gateway, key), end - now())


def plan_ends(cluster, load, history, injector, left):
    if not injector.has_changed_ring:
        return

    def over():
        report = cluster.adm("rebalance-status", check=False)
        return report is not None and report["phase"] in ("done", "withdrawn")
    wait_for("the plan for the ring to be over", over, left)


def undamaged(cluster, load, history, injector, left):
    """What was flipped is found and brought back; nobody is in doubt about what it has."""
    def in_order(node):
        disks = (cluster.adm("disk", "list", node, check=False) or {}).get("disks", [])
        return disks and all(d["state"] == "running" and not d.get("doubtful_slots") for d in disks)
    end = now() + left
    for node in injector.harmed:
        scrub(cluster, node, end - now())
    for node in cluster.ring_nodes():
        wait_for(f"{node} to be in order", lambda: in_order(node), end - now())
        wait_for(f"{node} to have nothing damaged", lambda: cluster.metric(node, "martlet_storage_damaged_records") == 0, end - now())


def scrub(cluster, node, left):
    def status():
        return ((cluster.adm("scrub-status", node, check=False) or {}).get("disks") or [{}])[0]
    before = status().get("finished_milliseconds")
    cluster.adm("scrub-start", node)
    wait_for(f"the scrub of {node}", lambda: status().get("state") == "idling" and status().get("finished_milliseconds") != before, left)


def replicas_equal(cluster, load, history, injector, left):
    """By digests, with the proof of tasks that compare everything."""
    end, started = now() + left, {}
    for node in cluster.ring_nodes():
        # The manager may not have its connection to the repair process back yet.
        started[node] = wait_for(f"recover-node {node} to be taken", lambda: cluster.adm("recover-node", node, check=False), end - now())["id"]

    def proved():
        tasks = {task["id"]: task for task in (cluster.adm("tasks", check=False) or {"tasks": []})["tasks"]}
        missing = [node for node, id in started.items() if tasks.get(id, {}).get("state") != "done" or not tasks[id]["proved"]]
        return not missing
    wait_for("equal digests of all replicas", proved, end - now())


def listings_equal(cluster, load, history, injector, left):
    """Every gateway lists what every gateway reads, and nothing else. What was deleted has not come back."""
    end = now() + left
    for gateway in cluster.gateways:
        present = {}
        for key in load.keys:
            operation = wait_for(f"{gateway} to answer", lambda: final_read(cluster, history, gateway, key), end - now())
            if operation.value is not None:
                present[key] = history.contents[operation.value]
        listed = entries(request(cluster, gateway, "GET", "", {"list-type": 2, "prefix": load.prefix + "/"}).body)
        if listed != present:
            raise Failure(f"{gateway} lists {listed} but reads {present}")


def lost_versions(cluster, load, history):
    """In a bucket with versions every acknowledged one is kept."""
    if not load.versioned:
        return []
    kept = {}
    query = {"versions": "", "prefix": load.prefix + "/", "max-keys": 1000}
    while query:
        page = request(cluster, cluster.gateways[0], "GET", "", query).body
        for key, etag in versions(page):
            kept.setdefault(key, set()).add(etag)
        markers = [re.search(rb"<Next%sMarker>([^<]*)<" % name, page) for name in (b"Key", b"VersionId")]
        query = query | dict(zip(["key-marker", "version-id-marker"], [m[1].decode() for m in markers])) if all(markers) else None
    return [f"the version {o.value} of {o.key} was acknowledged at {o.returned:.3f} and is not kept" for o in history.operations
            if o.kind != "get" and o.value and o.outcome == "ok" and history.contents[o.value][0] not in kept.get(o.key, ())]


def versions(page):
    """Key and ETag of each."""
    for entry in re.findall(rb"<Version>(.*?)</Version>", page, re.S):
        fields = [re.search(rb"<%s>([^<]*)</%s>" % (name, name), entry)[1].decode() for name in (b"Key", b"ETag")]
        yield fields[0], fields[1].replace("&quot;", '"')


def request(cluster, gateway, method, key, query=None, body=b""):
    client = s3.Client(cluster.endpoint_of(gateway), cluster.user, 15)
    try:
        return cluster.network.call(cluster.host(gateway), lambda: client.request(method, f"/{BUCKET}/{key}", query, body=body))
    finally:
        client.close()


def final_read(cluster, history, gateway, key):
    """The read, as a part of the history; None: there was no answer yet."""
    operation = Operation(JUDGE, key, "get", now(), gateway=gateway, request="GET", outcome="ok")
    try:
        answer = request(cluster, gateway, "GET", key)
    except (OSError, http.client.HTTPException):
        return None
    operation.returned, operation.status = now(), answer.status
    if answer.status not in (200, 404):
        return None
    if answer.status == 200:
        operation.value = answer.headers["x-amz-meta-value"]
        etag, size = history.contents[operation.value]
        if answer.body != content(operation.value, size):
            history.note_wrong(f"GET {key} after healing: wrong bytes of {operation.value}")
    history.add(operation)
    return operation


# What clients were told

def check_history(cluster, history, folder):
    file = folder / "history.jsonl"
    history.write(file)
    run = subprocess.run([cluster.binaries / "martlet-load", "verify", file], capture_output=True, text=True, timeout=300)
    return [] if run.returncode == 0 else [line for line in (run.stdout + run.stderr).splitlines() if line.strip()][:5]


def slow_answers(cluster, history, injector):
    """Nobody waits for ever; who is cut off with a gateway that reaches no quorum knows it after five seconds."""
    faults, spans = [], injector.spans()
    for operation in history.operations:
        if operation.returned is None or operation.client == JUDGE:
            continue
        took, during = operation.returned - operation.call, [s for s in spans if s.begin < operation.returned and operation.call < s.end]
        if any(s.fault.kind in ("pause", "kill") and s.fault.target == operation.gateway for s in during):
            continue
        host = cluster.host(operation.gateway)
        alone = any(s.fault.kind == "isolation" and host in s.fault.hosts and s.begin <= operation.call and operation.returned <= s.end
                    for s in during)
        where = f"{operation.request} {operation.key} at {operation.gateway}"
        if alone and operation.outcome in ("ok", "refused"):
            faults.append(f"{where} succeeded without a quorum")
        if took > (MINORITY_ANSWERS_WITHIN_SECONDS if alone else ANSWER_WITHIN_SECONDS):
            faults.append(f"{where} took {took:.1f} s: {operation.status} {operation.error}")
    return faults
