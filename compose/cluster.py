"""A Martlet cluster on one machine: its folder, its ports, its processes. Used by the commands beside this file.

DIR/cluster.json      the options it was made with
DIR/config/NAME.toml  configuration of each process (etcd-N.yaml for etcd's); the supervisor starts a process when this file appears
DIR/data/NAME/        data of each process
DIR/log/NAME.log      its log
DIR/run/NAME.pid      its process id; DIR/run/NAME.hold keeps it down until the file is removed
DIR/env               shell lines for clients
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
APT_PACKAGES = ["libzmq3-dev", "libprotobuf-c-dev", "libssl-dev", "librocksdb-dev", "libisal-dev", "libbz2-dev", "libsqlite3-dev", "libxml2-dev"]
ETCD = "/usr/bin/etcd"
PROGRAMS = ["manager", "storage", "gateway", "replicator", "repair", "adm", "tap", "load"]


class Failure(Exception):
    """Something that the operator should read, without a stack trace."""


def say(text):
    print(text, flush=True)


class Cluster:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        self.options = {}
        if self.description.exists():
            self.options = json.loads(self.description.read_text())

    # Places

    @property
    def description(self):
        return self.folder / "cluster.json"

    @property
    def admin_file(self):
        return self.folder / "data" / "manager" / "admin.toml"

    @property
    def binaries(self):
        return pathlib.Path(self.options["bin"])

    def path(self, *parts):
        return self.folder.joinpath(*parts)

    # Processes and ports

    def processes(self):
        """(name, program, first of its ports), in the order of starting."""
        base, nodes = self.options["port_base"], self.options["nodes"]
        listed = [("gateway", "gateway", base + 20), ("replicator", "replicator", base + 30), ("repair", "repair", base + 40)]
        storage = [(f"storage-{i}", "storage", base + 40 + 10 * i) for i in range(1, nodes + 1)]
        return self.etcd_members() + self.managers() + storage + listed

    def managers(self):
        """The first manager has the name and place that it has when it is alone."""
        base, nodes = self.options["port_base"], self.options["nodes"]
        further = [(f"manager-{i}", "manager", base + 30 + 10 * (nodes + i)) for i in range(2, self.manager_count + 1)]
        return [("manager", "manager", base + 10)] + further

    def etcd_members(self):
        base, nodes = self.options["port_base"], self.options["nodes"]
        if self.manager_count == 1:
            return []
        return [(f"etcd-{i}", "etcd", base + 68 + 10 * nodes + 2 * i) for i in range(1, self.manager_count + 1)]

    @property
    def manager_count(self):
        return self.options.get("managers", 1)

    def ports(self, program, first):
        """All ports of a process whose first port is given."""
        return [first, first + 1] if program == "etcd" else [first + i for i in range(4)]

    def config_file(self, name, program):
        return self.path("config", f"{name}.{'yaml' if program == 'etcd' else 'toml'}")

    def port(self, name):
        return next(port for n, _, port in self.processes() if n == name)

    def address(self, name):
        """Of the host that a process runs on."""
        return "127.0.0.1"

    def health(self, name, check):
        return f"http://{self.address(name)}:{self.port(name) + 3}/health/{check}"

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.options['port_base']}"

    @property
    def swift_endpoint(self):
        """Swift; Keystone is at /v2.0 and /v3 below it."""
        return f"http://127.0.0.1:{self.options['port_base'] + 1}"

    def prepare(self, **options):
        for part in ("config", "data", "log", "run"):
            self.path(part).mkdir(parents=True, exist_ok=True)
        os.chmod(self.folder, 0o700)
        self.options = options
        write(self.description, json.dumps(options, indent=2) + "\n")

    def configure(self, name, program, port):
        text = self.etcd_configuration(name, port) if program == "etcd" else self.configuration(name, program, port)
        target = self.config_file(name, program)
        if not target.exists() or target.read_text() != text:
            write(target, text)

    def share_master_key(self):
        """Further managers open the same secrets as the first."""
        for name, *_ in self.managers()[1:]:
            target = self.path("data", name, "master-key")
            if not target.exists():
                target.parent.mkdir(mode=0o700, exist_ok=True)
                write(target, self.path("data", "manager", "master-key").read_text())

    def etcd_configuration(self, name, port):
        members = ",".join(f"{n}=http://{self.address(n)}:{p + 1}" for n, _, p in self.etcd_members())
        client, peer = (f"http://{self.address(name)}:{p}" for p in (port, port + 1))
        values = {
            "name": name, "data-dir": str(self.path("data", name)), "logger": "zap", "initial-cluster": members,
            "listen-client-urls": client, "advertise-client-urls": client,
            "listen-peer-urls": peer, "initial-advertise-peer-urls": peer,
            "auto-compaction-mode": "revision", "auto-compaction-retention": "10000",
        }
        return "# Written by compose/up.\n" + "".join(f"{key}: '{value}'\n" for key, value in values.items()) + \
            "max-txn-ops: 1024\nenable-grpc-gateway: true\n"

    def configuration(self, name, program, port):
        lines = ["# Written by compose/up.", "[node]", f'name = "{name}"', f'data = "{self.path("data", name)}"']
        if program != "manager":
            lines += [f'join_token_file = "{self.path("data", "manager", "join-token")}"']
        lines += [""]
        host = self.address(name)
        lines += ["[bus]", f'listen = "tcp://{host}:{port}"', f'publish = "tcp://{host}:{port + 1}"', ""]
        lines += ["[admin]", f'listen = "{host}:{port + 3}"', ""]
        if program == "manager":
            replicas = self.options["replicas"]
            lines += ["[manager]", f'enrolment = "tcp://{host}:{port + 2}"', f"replicas = {replicas}"]
            members = [f"http://{self.address(n)}:{p}" for n, _, p in self.etcd_members()]
            if members:
                lines += ['store = "etcd"', f"etcd_endpoints = {json.dumps(members)}"]
            lines += [""]
        else:
            addresses = [f"{n}=tcp://{self.address(n)}:{p}" for n, _, p in self.managers()]
            lines += ["[manager]", f"addresses = {json.dumps(addresses)}",
                      f'enrolment = "tcp://{self.address("manager")}:{self.port("manager") + 2}"', ""]
        if program == "gateway":
            lines += ["[gateway]", f'listen = "{host}:{self.options["port_base"]}"', ""]
            lines += ["[swift]", f'listen = "{host}:{self.options["port_base"] + 1}"', ""]
        return "\n".join(lines)

    def overrides(self, program):
        """--set arguments for a program: a key goes to every process that has its section."""
        common = {"node", "bus", "admin", "log"}
        result = []
        for pair in self.options["set"]:
            section = pair.split(".", 1)[0]
            if section in common or section == program or (section, program) == ("swift", "gateway"):
                result += ["--set", pair]
        return result

    def command(self, name, program):
        if program == "etcd":
            return [ETCD, "--config-file", str(self.config_file(name, program))]
        return [str(self.binaries / f"martlet-{program}"), "--config", str(self.path("config", f"{name}.toml"))] + \
            self.overrides(program)

    # What runs

    def pid(self, name):
        """The process id in the pid file if that process lives, else None."""
        try:
            pid = int(self.path("run", f"{name}.pid").read_text())
            os.kill(pid, 0)
            return pid
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return None

    def start_supervisor(self):
        if self.pid("supervisor"):
            return
        log = open(self.path("log", "supervisor.log"), "ab")
        subprocess.Popen([sys.executable, str(ROOT / "compose" / "supervise"), str(self.folder)], stdin=subprocess.DEVNULL,
                         stdout=log, stderr=log, start_new_session=True)
        wait_for("the supervisor", lambda: self.pid("supervisor"), 10)

    def stop(self, patience=60):
        pid = self.pid("supervisor")
        if not pid:
            return False
        os.kill(pid, signal.SIGTERM)
        wait_for("the processes to stop", lambda: not self.pid("supervisor"), patience)
        return True

    def adm(self, *arguments, check=True):
        """Runs martlet-adm and returns its JSON."""
        run = subprocess.run([str(self.binaries / "martlet-adm"), *arguments, "--json", "--admin", str(self.admin_file)],
                             capture_output=True, text=True, timeout=60)
        if run.returncode != 0:
            if check:
                raise Failure(f"martlet-adm {' '.join(arguments)}: {run.stderr.strip() or run.stdout.strip()}")
            return None
        return json.loads(run.stdout or "{}")


def write(path, text, mode=0o600):
    """Writes a file whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def wait_for(what, condition, seconds):
    """Polls until the condition holds and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {seconds} s for {what}")
        time.sleep(0.05)
