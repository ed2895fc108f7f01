"""A real Keystone for tests: the one of OpenStack, from PyPI, in a folder of its own with SQLite and Fernet.

It needs a virtual environment of its own, which MARTLET_TEST_KEYSTONE names:
python3 -m venv V && V/bin/pip install -r Tests/Cluster/keystone-requirements.txt && MARTLET_TEST_KEYSTONE=V pytest …
`compose/test --clients` does that.
"""
import json
import os
import pathlib
import subprocess
import urllib.error
import urllib.request

from conftest import wait_until

SERVER = """
import os, socketserver
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from keystone.server.wsgi import initialize_public_application
class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments): pass
make_server("127.0.0.1", int(os.environ["KEYSTONE_PORT"]), initialize_public_application(), Server, Quiet).serve_forever()
"""


class Keystone:
    def __init__(self, folder, port, environment):
        self.folder, self.port, self.programs = pathlib.Path(folder), port, pathlib.Path(environment) / "bin"
        self.url, self.process = f"http://127.0.0.1:{port}", None
        sections = {"database": f"connection = sqlite:///{self.folder}/keystone.db", "token": "provider = fernet"}
        for name in ("fernet_tokens", "credential", "fernet_receipts"):
            (self.folder / name).mkdir(mode=0o700)
            sections[name] = f"key_repository = {self.folder / name}"
        self.file = self.folder / "keystone.conf"
        self.file.write_text("".join(f"[{name}]\n{line}\n" for name, line in sections.items()))
        for command in (["db_sync"], ["fernet_setup", "--keystone-user", "root", "--keystone-group", "root"],
                        ["bootstrap", "--bootstrap-password", "admin", "--bootstrap-public-url", self.url + "/v3"]):
            run = subprocess.run([self.programs / "keystone-manage", "--config-file", self.file, *command], capture_output=True,
                                 text=True, timeout=120)
            assert run.returncode == 0, run.stderr[-2000:]

    def start(self):
        self.log = open(self.folder / "keystone.log", "ab")
        self.process = subprocess.Popen(
            [self.programs / "python", "-c", SERVER], stdout=self.log, stderr=self.log,
            env={**os.environ, "KEYSTONE_PORT": str(self.port), "OS_KEYSTONE_CONFIG_FILES": str(self.file)})
        wait_until("Keystone", self.answers, 60)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.log.close()
            self.process = None

    def answers(self):
        try:
            return urllib.request.urlopen(self.url + "/v3", timeout=5).status == 200
        except OSError:
            return False

    def call(self, method, path, body=None, token=None):
        """Status, headers and the document."""
        headers = {"Content-Type": "application/json", **({"X-Auth-Token": token} if token else {})}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode() if body is not None else None, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                text = answer.read()
                return answer.status, answer.headers, json.loads(text) if text else {}
        except urllib.error.HTTPError as error:
            return error.code, error.headers, {}

    def login(self, user, password, project):
        domain = {"id": "default"}
        status, headers, _ = self.call("POST", "/v3/auth/tokens", {"auth": {
            "identity": {"methods": ["password"], "password": {"user": {"name": user, "domain": domain, "password": password}}},
            "scope": {"project": {"name": project, "domain": domain}}}})
        assert status == 201
        return headers["X-Subject-Token"]

    @property
    def admin(self):
        return self.login("admin", "admin", "admin")

    def make(self, kind, name, **more):
        status, _, made = self.call("POST", f"/v3/{kind}s", {kind: {"name": name, **more}}, self.admin)
        assert status == 201
        return made[kind]["id"]

    def grant(self, project, user, role):
        assert self.call("PUT", f"/v3/projects/{project}/users/{user}/roles/{role}", token=self.admin)[0] == 204
