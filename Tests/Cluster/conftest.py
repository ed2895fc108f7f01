"""Real clusters for the tests in this folder: real processes, sockets and disks, started by compose/up.

MARTLET_BIN names the folder of the binaries (default: the debug build). Every cluster is stopped at the end, whatever happens.
"""
import contextlib
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import boto3
import botocore.config
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = pathlib.Path(os.environ.get("MARTLET_BIN", ROOT / ".build" / "debug")).resolve()
PORTS_OF_A_CLUSTER = 160


def free_port_base():
    """The first of a run of free ports on loopback."""
    for base in range(20000, 32000, PORTS_OF_A_CLUSTER):
        sockets = []
        try:
            for port in range(base, base + PORTS_OF_A_CLUSTER):
                s = socket.socket()
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("127.0.0.1", port))
                sockets.append(s)
            return base
        except OSError:
            continue
        finally:
            for s in sockets:
                s.close()
    raise RuntimeError("no free ports")


@contextlib.contextmanager
def stopped(cluster, *nodes):
    """Meanwhile these nodes stand still (SIGSTOP): they are not dead, and answer nothing."""
    pids = [cluster.pid(node) for node in nodes]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def wait_until(what, condition, seconds=30, pause=0.1):
    """Polls a condition; its value, or a failure that says what was waited for.

    `seconds` is ample where nothing else runs. A slow machine is no failure, so it gets three times as long.
    """
    limit = max(60, 3 * seconds)
    end = time.monotonic() + limit
    while True:
        try:
            value, failure = condition(), ""
        except OSError as error:  # who is asked may be starting
            value, failure = None, f": {error}"
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"waited {limit} s for {what}{failure}")
        time.sleep(pause)


class Cluster:
    """A running cluster and what a test does to it."""

    def __init__(self, folder, *options):
        self.folder = pathlib.Path(folder)
        self.port_base = free_port_base()
        self.options = ["--data", str(self.folder), "--port-base", str(self.port_base), "--bin", str(BINARIES), *options]
        self.up()

    def up(self):
        run = subprocess.run([ROOT / "compose" / "up", *self.options], capture_output=True, text=True, timeout=900)
        assert run.returncode == 0, run.stdout + run.stderr + self.last_log_lines()
        self.env = {}
        for line in (self.folder / "env").read_text().splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            self.env[name] = shlex.split(value)[0]

    def down(self):
        subprocess.run([ROOT / "compose" / "down", "--data", str(self.folder)], capture_output=True, timeout=120)

    @property
    def endpoint(self):
        return self.env["MARTLET_S3_ENDPOINT"]

    def s3(self, **config):
        settings = dict(retries={"max_attempts": 0}, s3={"addressing_style": "path"}, read_timeout=60, connect_timeout=20)
        return boto3.client(
            "s3", endpoint_url=self.endpoint, aws_access_key_id=self.env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.env["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1",
            config=botocore.config.Config(**(settings | config)))

    # Programs

    def program(self, name):
        return str(BINARIES / f"martlet-{name}")

    def adm(self, *arguments):
        run = subprocess.run([self.program("adm"), *arguments, "--json"], capture_output=True, text=True, timeout=120,
                             env=os.environ | self.env)
        assert run.returncode == 0, f"martlet-adm {arguments}: {run.stdout} {run.stderr}"
        return json.loads(run.stdout)

    def start_program(self, name, *arguments):
        return subprocess.Popen([self.program(name), *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, env=os.environ | self.env)

    def run_program(self, name, *arguments, timeout=300):
        process = self.start_program(name, *arguments)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return process.returncode, out, err

    # Processes

    def pid(self, name):
        try:
            return int((self.folder / "run" / f"{name}.pid").read_text())
        except FileNotFoundError:
            return None

    def alive(self, name):
        pid = self.pid(name)
        try:
            os.kill(pid, 0)
            return True
        except (TypeError, ProcessLookupError):
            return False

    def kill(self, name, hold=True):
        """kill -9. With `hold` the supervisor leaves it down until `release`."""
        if hold:
            (self.folder / "run" / f"{name}.hold").touch()
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        wait_until(f"{name} to end", lambda: self.pid(name) != pid, 10, 0.02)

    def release(self, name):
        (self.folder / "run" / f"{name}.hold").unlink(missing_ok=True)
        wait_until(f"{name} to run", lambda: self.alive(name), 15)
        wait_until(f"{name} to be ready", lambda: self.healthy(name, "ready"), 30)

    def admin_port(self, name):
        import tomllib
        listen = tomllib.loads((self.folder / "config" / f"{name}.toml").read_text())["admin"]["listen"]
        return int(listen.rpartition(":")[2])

    def fetch(self, name, path):
        import urllib.request
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port(name)}{path}", timeout=20) as answer:
            return answer.read().decode()

    def metric(self, name, metric):
        """The sum of all series of a metric."""
        lines = [line for line in self.fetch(name, "/metrics").splitlines() if line and not line.startswith("#")]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == metric)

    def healthy(self, name, check):
        try:
            self.fetch(name, f"/health/{check}")
            return True
        except OSError:
            return False

    def memory(self, name):
        """Resident bytes of a process."""
        status = pathlib.Path(f"/proc/{self.pid(name)}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024

    def last_log_lines(self, lines=15):
        text = ""
        for log in sorted((self.folder / "log").glob("*.log")):
            text += f"\n--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
        return text


def stop_cluster(folder):
    """Also one that came up in part only."""
    subprocess.run([ROOT / "compose" / "down", "--data", str(folder)], capture_output=True, timeout=120)


@pytest.fixture(scope="module")
def cluster(request):
    """The cluster of a test file, made with its CLUSTER_OPTIONS, if it has any."""
    if not (BINARIES / "martlet-gateway").exists():
        pytest.fail(f"no binaries in {BINARIES}: build first, or set MARTLET_BIN")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="martlet-cluster-"))
    made = None
    try:
        made = Cluster(folder, *getattr(request.module, "CLUSTER_OPTIONS", []))
        yield made
    finally:
        stop_cluster(folder)
        if os.environ.get("MARTLET_KEEP"):
            print(f"kept {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the last log lines of every process."""
    outcome = yield
    report = outcome.get_result()
    cluster = getattr(item, "funcargs", {}).get("cluster")
    if report.when == "call" and report.failed and cluster:
        report.sections.append(("logs of the cluster", cluster.last_log_lines()))
