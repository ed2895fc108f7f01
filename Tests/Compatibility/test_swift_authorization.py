"""Everybody against every operation, from one table: who is not named for an operation is refused, and nothing happens."""
import itertools
import os
import pathlib
import urllib.parse
import uuid

import pytest

from swiftapi import Account, adm, login, send

# Who asks. The first of them have no good login: 401. The others do: 403.
NOBODY = ["anonymous", "empty", "wrong", "changed", "revoked", "ended", "foreign"]
SOMEBODY = ["stranger", "member", "reader", "listed_reader", "listed_writer", "unscoped", "owner", "reseller"]

READ_ACCOUNT = {"reader", "owner", "reseller"}
OWN = {"owner", "reseller"}
READ = {"reader", "listed_reader", "owner", "reseller"}
WRITE = {"listed_writer", "owner", "reseller"}

# Method, path, headers, body; who may. {c}: the container, {o}: an object that is there, {n}: one that is not, {v}: its version.
OPERATIONS = {
    "HEAD account": ("HEAD", "", {}, b"", READ_ACCOUNT),
    "GET account": ("GET", "", {}, b"", READ_ACCOUNT),
    "POST account": ("POST", "", {"X-Account-Meta-Matrix": "x"}, b"", OWN),
    "POST account list": ("POST", "", {"X-Account-Access-Control": "{}"}, b"", OWN),
    "POST account quota": ("POST", "", {"X-Account-Meta-Quota-Bytes": "1000000000"}, b"", {"reseller"}),
    "PUT account": ("PUT", "", {}, b"", {"reseller"}),
    "DELETE account": ("DELETE", "", {}, b"", {"reseller"}),
    "HEAD container": ("HEAD", "/{c}", {}, b"", READ),
    "GET container": ("GET", "/{c}", {}, b"", READ),
    "GET versions": ("GET", "/{c}?versions", {}, b"", READ),
    "GET container as page": ("GET", "/{c}/", {"X-Web-Mode": "true"}, b"", READ),
    "PUT container": ("PUT", "/{n}", {}, b"", OWN),
    "PUT container again": ("PUT", "/{c}", {}, b"", OWN),
    "POST container": ("POST", "/{c}", {"X-Container-Meta-Matrix": "x"}, b"", OWN),
    "POST container versions": ("POST", "/{c}", {"X-Versions-Enabled": "false"}, b"", OWN),
    "DELETE container": ("DELETE", "/{c}", {}, b"", OWN),
    "GET object": ("GET", "/{c}/{o}", {}, b"", READ),
    "HEAD object": ("HEAD", "/{c}/{o}", {}, b"", READ),
    "GET object range": ("GET", "/{c}/{o}", {"Range": "bytes=0-0"}, b"", READ),
    "GET object version": ("GET", "/{c}/{o}?version-id=null", {}, b"", READ),
    "GET missing object": ("GET", "/{c}/{n}", {}, b"", READ),
    "GET link": ("GET", "/{c}/{l}", {}, b"", READ),
    "GET link itself": ("GET", "/{c}/{l}?symlink=get", {}, b"", READ),
    "PUT object": ("PUT", "/{c}/{n}", {}, b"new", WRITE),
    "PUT object over": ("PUT", "/{c}/{o}", {}, b"new", WRITE),
    "PUT link": ("PUT", "/{c}/{n}", {"X-Symlink-Target": "{c}/{o}"}, b"", WRITE),
    "PUT static link": ("PUT", "/{c}/{n}", {"X-Symlink-Target": "{c}/{o}", "X-Symlink-Target-Etag": "9a0364b9e99bb480dd25e1f0284c8555"},
                        b"", WRITE & READ),
    "PUT copy": ("PUT", "/{c}/{n}", {"X-Copy-From": "/{c}/{o}"}, b"", WRITE & READ),
    "PUT version": ("PUT", "/{c}/{o}?version-id=null", {}, b"", WRITE & READ),
    "COPY": ("COPY", "/{c}/{o}", {"Destination": "/{c}/{n}"}, b"", WRITE & READ),
    "POST object": ("POST", "/{c}/{o}", {"X-Object-Meta-Matrix": "x"}, b"", WRITE),
    "DELETE object": ("DELETE", "/{c}/{o}", {}, b"", WRITE),
    "DELETE version": ("DELETE", "/{c}/{o}?version-id=null", {}, b"", WRITE),
}
CONTENT = b"content"


def user(name, project, role=None, **more):
    adm("create-user", name, "--password-file", "-", "--project", project, *(["--role", role] if role else []), stdin="secret\n")
    return login(name, "secret", project)[0]


@pytest.fixture(scope="module")
def tokens():
    """By name of who asks; None: no header."""
    word = uuid.uuid4().hex[:8]
    own, other = f"own-{word}", f"other-{word}"
    adm("create-project", own)
    adm("create-project", other)
    owner_name = f"owner-{word}"
    adm("create-user", owner_name, "--password-file", "-", "--project", own, stdin="secret\n")
    owner = Account(owner_name, "secret", own)
    good = {
        "owner": owner.token, "stranger": user(f"stranger-{word}", other), "member": user(f"member-{word}", own, "member"),
        "reader": user(f"reader-{word}", own, "reader"), "listed_reader": user(f"listed-reader-{word}", other, "member"),
        "listed_writer": user(f"listed-writer-{word}", other, "member"), "reseller": user(f"reseller-{word}", other, "ResellerAdmin"),
    }
    unscoped = {"auth": {"identity": {"methods": ["token"], "token": {"id": owner.token}}, "scope": "unscoped"}}
    good["unscoped"] = send("POST", "/v3/auth/tokens", body=unscoped).headers["x-subject-token"]
    revoked = login(owner_name, "secret", own)[0]
    assert send("DELETE", "/v3/auth/tokens", {"X-Auth-Token": revoked, "X-Subject-Token": revoked}).status == 204
    middle = len(owner.token) // 2
    changed = owner.token[:middle] + ("A" if owner.token[middle] != "A" else "B") + owner.token[middle + 1:]
    bad = {"anonymous": None, "empty": "", "wrong": "x" * len(owner.token), "changed": changed, "revoked": revoked,
           "ended": ended(owner_name, own), "foreign": "AUTH_tk" + "0" * 32}
    assert set(good) == set(SOMEBODY) and set(bad) == set(NOBODY)
    lists = {"X-Container-Read": f"{other}:listed-reader-{word}", "X-Container-Write": f"{other}:listed-writer-{word}"}
    return owner, {**good, **bad}, lists


def ended(name, project):
    """A token that has ended with its application credential. (One whose time is over: TokenServiceTests.)"""
    made = adm("create-application-credential", name, project, "soon")
    answer = send("POST", "/v3/auth/tokens", body={"auth": {"identity": {
        "methods": ["application_credential"], "application_credential": {"id": made["id"], "secret": made["secret"]}}}})
    assert answer.status == 201, answer.text
    token = answer.headers["x-subject-token"]
    url = next(e["url"] for s in answer.json["token"]["catalog"] if s["type"] == "object-store" for e in s["endpoints"])
    assert send("HEAD", url, {"X-Auth-Token": token}).status == 204
    adm("delete-application-credential", name, "soon")
    assert send("HEAD", url, {"X-Auth-Token": token}).status == 401
    return token


@pytest.fixture(scope="module")
def stage(tokens):
    """A container with an object and a link. Told anew whenever somebody who may has changed it."""
    owner, _, lists = tokens
    name = f"matrix-{uuid.uuid4().hex[:8]}"
    owner.put(f"/{name}", **{n.replace("-", "_"): v for n, v in lists.items()})
    return name


def put_up(owner, container):
    owner.send("PUT", f"/{container}")
    owner.put(f"/{container}/object", CONTENT, Content_Type="text/plain")
    owner.put(f"/{container}/link", X_Symlink_Target=f"{container}/object")


def seen(owner, container):
    account = owner.send("HEAD").headers
    box = owner.send("HEAD", f"/{container}").headers
    thing = owner.send("GET", f"/{container}/object")
    changing = ("date", "x-trans-id", "x-openstack-request-id")
    return [{n: v for n, v in h.items() if n not in changing} for h in (account, box, thing.headers)] + [
        thing.body, owner.send("GET").lines, owner.send("GET", f"/{container}").lines]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_matrix(tokens, stage, operation):
    owner, by_name, lists = tokens
    method, path, headers, body, allowed = OPERATIONS[operation]
    put_up(owner, stage)
    before = seen(owner, stage)
    for who in NOBODY + SOMEBODY:
        words = {"c": stage, "o": "object", "n": f"new-{uuid.uuid4().hex[:6]}", "l": "link"}
        sent = {n: v.format(**words) if n != "X-Account-Access-Control" else v for n, v in headers.items()}
        if by_name[who] is not None:
            sent["X-Auth-Token"] = by_name[who]
        answer = send(method, owner.url + path.format(**words), sent, body)
        if who not in allowed:
            assert answer.status == (401 if who in NOBODY else 403), (operation, who, answer.status)
            assert CONTENT not in answer.body and "etag" not in answer.headers
            if who in NOBODY:
                assert answer.headers["www-authenticate"].startswith("Swift realm=")
            assert seen(owner, stage) == before, (operation, who)
            continue
        assert answer.status not in (401, 403), (operation, who, answer.status)
        # What was allowed may have changed it.
        for extra in set(owner.send("GET", f"/{stage}").lines) - {"object", "link"}:
            owner.send("DELETE", f"/{stage}/{extra}")
        for extra in [n for n in owner.send("GET").lines if n.startswith("new-")]:
            owner.send("DELETE", f"/{extra}")
        put_up(owner, stage)
        before = seen(owner, stage)


@pytest.mark.parametrize("who", NOBODY + SOMEBODY)
def test_bulk_delete(tokens, stage, who):
    """Each line for itself."""
    owner, by_name, _ = tokens
    put_up(owner, stage)
    headers = {"Accept": "application/json", **({"X-Auth-Token": by_name[who]} if by_name[who] is not None else {})}
    answer = send("POST", owner.url + "?bulk-delete", headers, f"/{stage}/object")
    gone = owner.send("HEAD", f"/{stage}/object").status == 404
    assert gone == (who in WRITE)
    if not gone and answer.status == 200:
        assert answer.json["Number Deleted"] == 0 and answer.json["Errors"][0][1][:3] in ("401", "403")


SPOOFS = [
    {"X-Identity-Status": "Confirmed", "X-Roles": "ResellerAdmin", "X-User-Id": "owner", "X-Project-Id": "own"},
    {"X-Backend-Allow-Reserved-Names": "true", "X-Backend-Owner": "true"}, {"X-Service-Token": "reseller"},
    {"Referer": "http://localhost/"}, {"X-Account-Sysmeta-Project-Domain-Id": "default"}, {"X-Forwarded-For": "127.0.0.1"},
    {"Authorization": "Bearer owner"}, {"X-Trans-Id-Extra": "x"}, {"X-Web-Mode": "true"}, {"Cookie": "token=owner"},
]


@pytest.mark.parametrize("spoof", SPOOFS, ids=[next(iter(s)) for s in SPOOFS])
def test_headers_open_nothing(tokens, stage, spoof):
    owner, by_name, _ = tokens
    put_up(owner, stage)
    for who, status in [("anonymous", 401), ("stranger", 403)]:
        headers = {n: by_name.get(v) or v for n, v in spoof.items()}
        if by_name[who]:
            headers["X-Auth-Token"] = by_name[who]
        for path in ("", f"/{stage}", f"/{stage}/object"):
            assert send("GET", owner.url + path, headers).status == status


def test_paths_open_nothing(tokens, stage):
    """Other spellings of the path, and of the account."""
    owner, by_name, _ = tokens
    put_up(owner, stage)
    account = owner.path.split("/")[-1]
    spellings = [f"/v1.0/{account}/{stage}/object", f"/v1/{account}//{stage}/object", f"//v1/{account}/{stage}/object",
                 f"/v1/{account}/{stage}/../{stage}/object", f"/v1/%41UTH_{account[5:]}/{stage}/object", f"/v1/{account}/{stage}%2Fobject",
                 f"/v1/{account[5:]}/{stage}/object", f"/v1/auth_{account[5:]}/{stage}/object", f"/v1/{account}%00/{stage}/object"]
    for spelling, who in itertools.product(spellings, ("anonymous", "stranger", "unscoped")):
        headers = {"X-Auth-Token": by_name[who]} if by_name[who] else {}
        for method in ("GET", "HEAD", "DELETE"):
            answer = send(method, spelling, headers)
            assert answer.status in (400, 401, 403, 404, 412) and CONTENT not in answer.body, (spelling, who, answer.status)
    assert owner.send("GET", f"/{stage}/object").body == CONTENT


def test_two_tokens_are_not_more_than_one(tokens, stage):
    owner, by_name, _ = tokens
    put_up(owner, stage)
    url = owner.url + f"/{stage}/object"
    assert send("GET", url, {"X-Auth-Token": "wrong", "X-Storage-Token": owner.token}).status == 401
    assert send("GET", url, {"X-Auth-Token": by_name["stranger"], "X-Storage-Token": owner.token}).status == 403
    assert send("GET", url, {"X-Storage-Token": owner.token}).status == 200


def test_every_bad_token_looks_the_same(tokens, stage):
    owner, by_name, _ = tokens
    answers = [send("GET", owner.url + f"/{stage}/object", {"X-Auth-Token": by_name[who]} if by_name[who] else {}) for who in NOBODY]
    assert {a.status for a in answers} == {401} and len({a.body for a in answers}) == 1
    assert len({tuple(sorted((n, v) for n, v in a.raw_headers if n not in ("Date", "X-Trans-Id", "X-Openstack-Request-Id")))
                for a in answers}) == 1


def test_logs_have_no_secrets(tokens, stage):
    owner, by_name, _ = tokens
    for token in by_name.values():
        if token:
            send("GET", f"/v2.0/tokens/{token}", {"X-Auth-Token": token})
            send("GET", f"/v3/auth/tokens?token={token}", {"X-Auth-Token": token, "X-Subject-Token": token})
            send("GET", owner.url + f"/{stage}?limit=z", {"X-Auth-Token": token})
    folder = pathlib.Path(os.environ["MARTLET_DATA"]) / "log"
    logs = b"".join(log.read_bytes() for log in folder.glob("*.log"))
    assert logs and os.environ["MARTLET_KEYSTONE_PASSWORD"].encode() not in logs
    for token in filter(None, by_name.values()):
        assert token.encode() not in logs and urllib.parse.quote(token).encode() not in logs
