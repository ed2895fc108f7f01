"""Requests to Swift and Keystone by hand: paths and headers go out as they are given, and come back as they came."""
import http.client
import json
import os
import pathlib
import subprocess
import urllib.parse
import uuid

BASE = os.environ.get("MARTLET_KEYSTONE_URL", "")


class Answer:
    def __init__(self, response):
        self.status, self.reason = response.status, response.reason
        self.raw_headers = response.getheaders()
        self.headers = {name.lower(): value for name, value in self.raw_headers}
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()

    @property
    def lines(self):
        return self.text.splitlines()


def send(method, path, headers=None, body=None, base=None):
    """`path` may be a whole URL."""
    url = urllib.parse.urlsplit(path if "://" in path else (base or BASE) + path)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=120)
    try:
        target = url.path + ("?" + url.query if url.query else "")
        if isinstance(body, (dict, list)):
            body, headers = json.dumps(body), {"Content-Type": "application/json", **(headers or {})}
        if isinstance(body, str):
            body = body.encode()
        if body is None and method in ("PUT", "POST"):
            body = b""
        connection.request(method, target, body=body, headers=headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def adm(*arguments, stdin=None):
    run = subprocess.run([pathlib.Path(os.environ["MARTLET_BIN"]) / "martlet-adm", *arguments, "--json"], capture_output=True,
                         text=True, timeout=120, input=stdin)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout or "{}")


def new_account(kind, *roles):
    """The account of a new user in a new project, by default as its operator. `roles`: further arguments of create-user."""
    name = f"{kind}-{uuid.uuid4().hex[:8]}"
    adm("create-project", name)
    adm("create-user", name, "--password-file", "-", "--project", name, *roles, stdin="secret\n")
    return Account(name, "secret", name)


def password_scope(user, password, project=None):
    auth = {"identity": {"methods": ["password"], "password": {
        "user": {"name": user, "domain": {"id": "default"}, "password": password}}}}
    if project:
        auth["scope"] = {"project": {"name": project, "domain": {"id": "default"}}}
    return {"auth": auth}


def login(user, password, project=None):
    """Token and storage URL, by Keystone v3."""
    answer = send("POST", "/v3/auth/tokens", body=password_scope(user, password, project))
    assert answer.status == 201, answer.text
    endpoints = next((s["endpoints"] for s in answer.json["token"].get("catalog", []) if s["type"] == "object-store"), [])
    url = next((e["url"] for e in endpoints if e["interface"] == "public"), None)
    return answer.headers["x-subject-token"], url


class Account:
    """The account of a user in a project."""

    def __init__(self, user, password, project):
        self.user, self.password, self.project = user, password, project
        self.token, self.url = login(user, password, project)
        self.path = urllib.parse.urlsplit(self.url).path

    def send(self, method, path="", headers=None, body=None, token=True):
        """`token`: True: this account's; None: none; or one that is given."""
        headers = dict(headers or {})
        if token:
            headers["X-Auth-Token"] = self.token if token is True else token
        return send(method, self.url + path, headers, body)

    def put(self, path, body=b"", **headers):
        answer = self.send("PUT", path, {n.replace("_", "-"): v for n, v in headers.items()}, body)
        assert answer.status == 201, (answer.status, answer.text)
        return answer

    def empty(self, container):
        while names := self.send("GET", f"/{container}?limit=1000").lines:
            lines = "\n".join(f"/{container}/" + urllib.parse.quote(n) for n in names)
            assert self.send("POST", "?bulk-delete", {"Accept": "application/json"}, lines).json["Errors"] == []
