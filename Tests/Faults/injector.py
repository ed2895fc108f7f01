"""Applies the faults of a scenario when their time has come, and always heals them: at their end, or when the run is over."""
import dataclasses
import os
import pathlib
import random
import shutil
import subprocess
import sys
import threading
import time

import hosts as cluster_hosts
import scenario

sys.path.insert(0, str(cluster_hosts.ROOT / "Tests" / "Cluster"))
import tracing  # noqa: E402

FULL_STEP = 1 << 20
SLOW_DISK_MICROSECONDS = 60_000
RING_CHANGE_SECONDS = 60


def unavailable():
    """Kinds of faults that cannot be made here, with the reason."""
    missing = {}
    if not os.path.exists(cluster_hosts.FAKETIME):
        missing |= dict.fromkeys(["clock jump", "clock drift"], "libfaketime IS NOT INSTALLED")
    if reason := tracing.unavailable():
        missing |= dict.fromkeys(["disk error", "slow disk"], reason)
    return missing


@dataclasses.dataclass(frozen=True)
class Span:
    """When a fault was really there."""
    fault: scenario.Fault
    begin: float
    end: float


class Injector:
    """Use it with `with`. `log` has (seconds, what) of everything that it did."""

    def __init__(self, cluster, folder, rng=None):
        self.cluster, self.folder, self.rng = cluster, pathlib.Path(folder), rng or random.Random(0)
        self.active, self.undo, self.log, self.began, self.harmed = [], {}, [], cluster_hosts.now(), set()
        self.begun, self.over, self.ring_change_thread = {}, [], None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.heal_all()

    def play(self, faults, seconds):
        """Until the time is over or everything has happened. What still lasts then is healed by `heal_all`."""
        self.began = cluster_hosts.now()
        moments = sorted([(fault.begin, 0, fault) for fault in faults] + [(fault.end, 1, fault) for fault in faults],
                         key=lambda moment: moment[:2])
        for at, is_end, fault in moments:
            time.sleep(max(0, self.began + at - cluster_hosts.now()))
            (self.heal if is_end else self.inject)(fault)
        time.sleep(max(0, self.began + seconds - cluster_hosts.now()))

    def inject(self, fault):
        self.note(f"begin {fault}")
        if fault.kind not in scenario.NETWORK:
            self.undo[fault] = getattr(self, fault.kind.replace(" ", "_"))(fault) or (lambda: None)
        self.active.append(fault)
        if fault.kind in scenario.NETWORK:
            self.lay_network()
        self.begun[fault] = cluster_hosts.now()

    def heal(self, fault):
        if fault not in self.active:
            return
        self.active.remove(fault)
        self.over.append(Span(fault, self.begun[fault], cluster_hosts.now()))
        if fault.kind in scenario.NETWORK:
            self.lay_network()
        else:
            self.undo.pop(fault)()
        self.note(f"end {fault}")

    def heal_all(self):
        """One that cannot be healed does not keep the others from it."""
        errors = []
        for fault in list(self.active):
            try:
                self.heal(fault)
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                errors.append(error)
        for name in list(self.cluster.paused):
            self.cluster.resume(name)
        if errors:
            raise errors[0]

    def spans(self):
        """Of the faults that are over."""
        return self.over

    def note(self, what):
        self.log.append((cluster_hosts.now(), what))

    # Network

    def lay_network(self):
        """All faults of the network that last now, in one step."""
        picture = {"cuts": [], "losses": [], "delays": [], "rates": []}
        for fault in self.active:
            if fault.kind in scenario.NETWORK:
                draw(self.cluster.network, fault, picture)
        self.cluster.network.lay(**picture)

    # Processes. Each does the fault and returns what ends it.

    def kill(self, fault):
        return self.kill_processes([fault.target])

    def kill_all(self, fault):
        return self.kill_processes([name for name in self.cluster.running if name.startswith("storage-")])

    def kill_processes(self, names):
        names = [name for name in names if self.cluster.is_running(name)]
        for name in names:
            self.cluster.running[name].kill()
        for name in names:
            self.cluster.kill(name)
        return lambda: [self.cluster.start(name) for name in names]

    def pause(self, fault):
        if not self.cluster.is_running(fault.target):
            return None
        self.cluster.pause(fault.target)
        return lambda: self.cluster.resume(fault.target)

    def clock_jump(self, fault):
        return self.change_clock(fault.target, f"{fault.amount:+g}")

    def clock_drift(self, fault):
        return self.change_clock(fault.target, f"+0 x{fault.amount:g}")

    def change_clock(self, name, text):
        """Restarts the process with a wall clock of its own, which then jumps or drifts. The restart at the end sets it right."""
        if not self.cluster.is_running(name):
            return None
        clock = self.folder / f"clock-{name}"
        clock.write_text("+0\n")
        self.cluster.kill(name)
        self.cluster.start(name, {
            "LD_PRELOAD": cluster_hosts.FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"})
        time.sleep(0.3)
        clock.write_text(text + "\n")
        return lambda: self.kill_processes([name])()

    # Ring

    def ring_change(self, fault):
        """Each node that is named joins, or leaves when it runs already. The verbs are tried until they succeed, whatever else
        happens meanwhile; the judge waits for the plan."""
        joining = [name for name in fault.target.split() if not self.cluster.is_running(name)]
        leaving = [name for name in fault.target.split() if name not in joining]
        for name in joining:
            self.cluster.start(name)
        self.ring_change_thread = threading.Thread(target=self.change_ring, args=(joining, leaving), daemon=True)
        self.ring_change_thread.start()

    def change_ring(self, joining, leaving):
        def attached():
            states = self.cluster.states()
            return all(states.get(name) in ("attached", "running") for name in joining)
        cluster_hosts.wait_for(f"{joining} to attach", attached, RING_CHANGE_SECONDS)
        for words in [*(("detach", name) for name in leaving), ("rebalance",)]:
            cluster_hosts.wait_for(" ".join(words), lambda: self.cluster.adm(*words, check=False) is not None, RING_CHANGE_SECONDS)

    @property
    def has_changed_ring(self):
        """Once the verbs have been accepted. Waits for that."""
        if self.ring_change_thread:
            self.ring_change_thread.join(2 * RING_CHANGE_SECONDS)
        return self.ring_change_thread is not None

    # Disks

    def slow_disk(self, fault):
        return self.trace(fault.target, f"delay_enter={SLOW_DISK_MICROSECONDS}")

    def disk_error(self, fault):
        """The disk takes no more writes after it: only a restart of the node makes it good again."""
        undo = self.trace(fault.target, f"error=EIO:when={self.rng.randint(1, 5)}")

        def heal():
            if undo:
                undo()
                self.kill_processes([fault.target])()
        return heal

    def trace(self, name, what):
        if not self.cluster.is_running(name):
            return None
        output = self.folder / f"trace-{name}"
        injection = tracing.Injection(self.cluster.running[name].pid, what, output)

        def heal():
            injection.__exit__()
            output.unlink(missing_ok=True)
        return heal

    def full_disk(self, fault):
        if fault.target not in self.cluster.on_tmpfs:
            return None
        filler = self.cluster.home(fault.target) / "filler"
        with open(filler, "wb", buffering=0) as file:
            free = shutil.disk_usage(self.cluster.home(fault.target)).free
            try:
                os.posix_fallocate(file.fileno(), 0, max(1, free - FULL_STEP))
            except OSError:
                pass  # Somebody was faster: full is full.
        return lambda: filler.unlink(missing_ok=True)

    def flipped_bytes(self, fault):
        """In segments that are written to no more, so that no append in flight covers it up."""
        flipped = 0
        for log in sorted(self.cluster.home(fault.target).glob("disk-*/log/segment-*.log"))[:-1]:
            flipped += flip(log, self.rng, 5)
        self.note(f"{flipped} bytes of {fault.target} flipped")
        self.harmed.add(fault.target)


def flip(path, rng, count):
    """Bits of the part of a file that has been written."""
    size = len(path.read_bytes().rstrip(b"\0"))
    with open(path, "r+b") as file:
        for _ in range(count if size > 128 else 0):
            offset = rng.randrange(64, size)
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ 1 << rng.randrange(8)]))
    return count if size > 128 else 0


def draw(network, fault, picture):
    """What one fault of the network adds to those that are there."""
    inside = set(fault.hosts)
    outside = set(network.hosts) - inside
    out, back = network.links(inside, outside), network.links(outside, inside)
    match fault.kind:
        case "partition" | "isolation":
            picture["cuts"] += out + back
        case "one-way partition":
            picture["cuts"] += out if fault.amount > 0 else back
        case "bridge":
            # The others are two halves that see each other only through this host, which sees all of them.
            others = sorted(outside)
            left, right = others[:len(others) // 2], others[len(others) // 2:]
            picture["cuts"] += network.links(left, right) + network.links(right, left)
        case "loss":
            picture["losses"] += [(link, fault.amount) for link in out + back]
        case "delay":
            # One delay a pair: the first counts.
            known = {frozenset(pair) for pair, *_ in picture["delays"]}
            picture["delays"] += [(link, fault.amount, fault.amount * 0.3) for link in out if frozenset(link) not in known]
        case "slow link":
            picture["rates"] += [(host, fault.amount) for host in inside]
        case kind:
            raise ValueError(kind)
