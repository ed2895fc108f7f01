"""A Martlet cluster whose processes run on the hosts of a `Network`, each of which a test may kill, pause or start again.

Host I has storage-I. The first hosts have a gateway each, and the other processes are spread over them, so that a cut
between two hosts is a cut between several kinds of processes.
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import network

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "compose"))
import cluster as compose  # noqa: E402

BINARIES = pathlib.Path(os.environ.get("MARTLET_BIN", ROOT / ".build" / "debug")).resolve()
GATEWAYS_MAX = 3
PORT_BASE = 8000
HOME_MIB = 400
HAS_ETCD = os.path.exists(compose.ETCD)
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
# Small segments, so that there are several; repair that runs all the time; a small ring, so that plans are soon over.
SETTINGS = [
    "manager.partitions=32", "storage.segment_size=4MiB", "storage.reserve=16MiB", "storage.index_memory=16MiB",
    "repair.interval=5s", "repair.damage_interval=1s", "repair.memory_interval=1s", "repair.rate_objects_per_second=5000",
    "replicator.poll_interval=500ms",
    # Hosts have no files in common.
    "gateway.short_circuit_reads=false",
]


class Hosts(compose.Cluster):
    """`nodes` storage nodes make the ring; `spares` more have a host, and run when a test starts them."""

    def __init__(self, folder, nodes=3, spares=0, replicas=3, managers=1, settings=(), environment=None):
        super().__init__(folder)
        self.count, self.spares, self.environment = nodes, spares, environment or {}
        self.prepare(nodes=nodes + spares, replicas=replicas, managers=managers, port_base=PORT_BASE, bin=str(BINARIES),
                     set=[*SETTINGS, *settings])
        self.running, self.paused, self.on_tmpfs = {}, set(), []
        self.network = network.Network(nodes + spares)
        try:
            self.start_all()
        except BaseException:
            self.close()
            raise

    # Where everything is

    @property
    def gateways(self):
        return [f"gateway-{i}" for i in range(1, min(self.count, GATEWAYS_MAX) + 1)]

    @property
    def storage_nodes(self):
        """Those that the ring was made with."""
        return [f"storage-{i}" for i in range(1, self.count + 1)]

    def processes(self):
        listed = super().processes()
        port = next(port for name, _, port in listed if name == "gateway")
        return [p for p in listed if p[1] != "gateway"] + [(name, "gateway", port) for name in self.gateways]

    def program_of(self, name):
        return next(program for n, program, _ in self.processes() if n == name)

    def host(self, name):
        placed = {"manager": 1, "replicator": 2, "repair": min(3, self.count)}
        return placed.get(name) or int(name.rpartition("-")[2])

    def address(self, name):
        return network.address(self.host(name))

    def endpoint_of(self, gateway):
        return self.address(gateway), PORT_BASE

    def home(self, name):
        return self.path("data", name)

    # Start and end

    def start_all(self):
        for node in [f"storage-{i}" for i in range(1, self.options["nodes"] + 1)]:
            self.mount_home(node)
        for name, *_ in self.etcd_members():
            self.start(name)
        self.start("manager")
        compose.wait_for("the manager", lambda: self.admin_file.exists() and self.healthy("manager", "live"), 60)
        self.share_master_key()
        for name, *_ in self.processes():
            if name not in self.running and name not in self.spare_nodes:
                self.start(name)
        compose.wait_for("the storage nodes to attach", lambda: self.attached() >= self.count, 60)
        self.adm("start")
        self.user = self.adm("create-user", "demo")
        for gateway in self.gateways:
            compose.wait_for(f"{gateway} to serve", lambda: self.healthy(gateway, "ready") and self.healthy(gateway, "cluster"), 60)

    @property
    def spare_nodes(self):
        return [f"storage-{i}" for i in range(self.count + 1, self.count + self.spares + 1)]

    def mount_home(self, node):
        """A small file system in memory: it can be filled, and syncs do not disturb others. Without the right to mount, a folder."""
        self.home(node).mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={HOME_MIB}m", "tmpfs", self.home(node)], capture_output=True)
        if done.returncode == 0:
            self.on_tmpfs.append(node)

    def start(self, name, environment=None):
        """Does not wait until it is ready."""
        program = self.program_of(name)
        self.configure(name, program, self.port(name))
        words = self.network.command(self.host(name), *self.command(name, program))
        with open(self.path("log", f"{name}.log"), "ab") as log:
            self.running[name] = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=network.die_with_parent,
                env={**os.environ, **self.environment, **(environment or {}), "SWIFT_BACKTRACE": "enable=no"})

    def is_running(self, name):
        return name in self.running and self.running[name].poll() is None

    def kill(self, name):
        process = self.running.pop(name, None)
        if process:
            process.kill()
            process.wait()
        self.paused.discard(name)

    def stop_gracefully(self, name):
        process = self.running.pop(name)
        process.terminate()
        return process.wait(120)

    def pause(self, name):
        self.running[name].send_signal(signal.SIGSTOP)
        self.paused.add(name)

    def resume(self, name):
        if name in self.paused:
            self.running[name].send_signal(signal.SIGCONT)
            self.paused.discard(name)

    def crashed(self):
        """Processes that ended though nobody killed them."""
        return {name: process.returncode for name, process in self.running.items() if process.poll() is not None}

    def close(self):
        for name in list(self.running):
            self.kill(name)
        self.network.close()
        for node in self.on_tmpfs:
            subprocess.run(["umount", "-l", self.home(node)], capture_output=True)

    # Questions

    @property
    def processes_of_martlet(self):
        """Those that run, or should, without etcd's."""
        return [name for name in self.running if not name.startswith("etcd-")]

    def fetch(self, name, path, timeout=3):
        """From the admin port of a process, asked on its own host."""
        url = f"http://{self.address(name)}:{self.port(name) + 3}{path}"

        def get():
            with urllib.request.urlopen(url, timeout=timeout) as answer:
                return answer.read().decode()
        return self.network.call(self.host(name), get)

    def healthy(self, name, check):
        try:
            self.fetch(name, f"/health/{check}")
            return True
        except (urllib.error.URLError, OSError):
            return False

    def metric(self, name, metric):
        """The sum of all series of a metric."""
        lines = [line for line in self.fetch(name, "/metrics").splitlines() if line and not line.startswith("#")]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == metric)

    def adm(self, *arguments, check=True):
        """Runs martlet-adm beside the manager and returns its JSON. None: it failed, and `check` is off."""
        words = [self.binaries / "martlet-adm", *arguments, "--json", "--admin", self.admin_file, "--timeout", "10"]
        run = subprocess.run(self.network.command(self.host("manager"), *words), capture_output=True, text=True, timeout=60)
        if run.returncode != 0:
            if check:
                raise compose.Failure(f"martlet-adm {' '.join(map(str, arguments))}: {run.stderr.strip() or run.stdout.strip()}")
            return None
        return json.loads(run.stdout or "{}")

    def states(self):
        return {node["node"]: node["state"] for node in (self.adm("status", check=False) or {}).get("node_list", [])}

    def attached(self):
        return sum(state in ("attached", "running") for name, state in self.states().items() if name.startswith("storage-"))

    def ring_nodes(self):
        """The storage nodes that hold a part of the ring."""
        return [name for name, state in self.states().items() if name.startswith("storage-") and state == "running"]

    def last_log_lines(self, lines=12):
        text = ""
        for log in sorted(self.path("log").glob("*.log")):
            text += f"\n--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
        return text


wait_for = compose.wait_for
Failure = compose.Failure


def now():
    """Seconds on the clock that all threads and hosts of a test share."""
    return time.monotonic()
