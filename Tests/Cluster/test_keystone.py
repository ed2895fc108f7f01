"""Another Keystone as the source of identity: the real one. See keystone.py for where it comes from."""
import http.client
import os
import pathlib
import shutil
import tempfile
import urllib.parse

import pytest
from conftest import Cluster, free_port_base, stop_cluster, wait_until
from keystone import Keystone

ENVIRONMENT = os.environ.get("MARTLET_TEST_KEYSTONE", "")
if not (pathlib.Path(ENVIRONMENT) / "bin" / "keystone-manage").exists() or not ENVIRONMENT:
    pytest.skip("KEYSTONE IS NOT INSTALLED: nothing was tested with it; see keystone.py", allow_module_level=True)


@pytest.fixture(scope="module")
def keystone():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="martlet-keystone-"))
    made = None
    try:
        made = Keystone(folder, free_port_base() - 1, ENVIRONMENT)
        made.start()
        yield made
    finally:
        if made:
            made.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def roles(keystone):
    listed = keystone.call("GET", "/v3/roles", token=keystone.admin)[2]["roles"]
    found = {role["name"]: role["id"] for role in listed}
    for name in ("swiftoperator", "ResellerAdmin", "service"):
        if name not in found:
            found[name] = keystone.make("role", name)
    return found


@pytest.fixture(scope="module")
def people(keystone, roles):
    """Users by name, in two projects; Martlet's own user in a third."""
    projects = {name: keystone.make("project", name, domain_id="default") for name in ("backups", "others", "service")}
    for name, project, role in [("swift", "service", "admin"), ("swift", "service", "service"), ("alice", "backups", "swiftoperator"),
                                ("rita", "backups", "reader"), ("mallory", "others", "swiftoperator"),
                                ("boss", "others", "ResellerAdmin")]:
        users = {u["name"]: u["id"] for u in keystone.call("GET", "/v3/users", token=keystone.admin)[2]["users"]}
        user = users.get(name) or keystone.make("user", name, domain_id="default", password=name)
        keystone.grant(projects[project], user, roles[role])
    return projects


@pytest.fixture(scope="module")
def cluster(keystone, people):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="martlet-cluster-"))
    settings = {
        "swift.keystone_url": keystone.url, "swift.keystone_user": "swift", "swift.keystone_password": "swift",
        "swift.keystone_cache": "1s", "swift.service_prefix": "SERVICE_"}
    try:
        yield Cluster(folder, "--nodes", "1", *(part for item in settings.items() for part in ("--set", "=".join(item))))
    finally:
        stop_cluster(folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def send(cluster):
    def send(method, path, token=None, body=b"", **headers):
        url = urllib.parse.urlsplit(cluster.env["MARTLET_KEYSTONE_URL"])
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=120)
        try:
            named = {n.replace("_", "-"): v for n, v in headers.items()} | ({"X-Auth-Token": token} if token else {})
            connection.request(method, "/v1" + path, body, named)
            answer = connection.getresponse()
            return answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()
    return send


def test_operators_have_their_account(keystone, people, send):
    alice = keystone.login("alice", "alice", "backups")
    account = f"/AUTH_{people['backups']}"
    assert send("HEAD", account, alice)[0] == 204
    assert send("PUT", account + "/box", alice)[0] == 201 and send("PUT", account + "/box/o", alice, b"content")[0] == 201
    assert send("GET", account + "/box/o", alice)[2] == b"content" and send("GET", account, alice)[2] == b"box\n"
    assert send("HEAD", account, keystone.login("rita", "rita", "backups"))[0] == 204
    assert send("PUT", account + "/box/o", keystone.login("rita", "rita", "backups"), b"x")[0] == 403
    mallory = keystone.login("mallory", "mallory", "others")
    assert send("GET", account + "/box/o", mallory)[0] == 403 and send("GET", account + "/box/o")[0] == 401
    assert send("POST", account + "/box", alice, X_Container_Read="others:mallory")[0] == 204
    assert send("GET", account + "/box/o", mallory)[2] == b"content" and send("PUT", account + "/box/o", mallory, b"x")[0] == 403
    assert send("GET", account + "/box/o", keystone.login("boss", "boss", "others"))[2] == b"content"


def test_bad_and_revoked_tokens(keystone, people, send):
    account = f"/AUTH_{people['backups']}"
    assert send("HEAD", account, "gAAAAABnonsense")[0] == 401 and send("HEAD", account, "x" * 9000)[0] in (400, 401)
    alice = keystone.login("alice", "alice", "backups")
    assert send("HEAD", account, alice)[0] == 204
    import urllib.request
    gone = urllib.request.Request(keystone.url + "/v3/auth/tokens", method="DELETE", headers={
        "X-Auth-Token": keystone.admin, "X-Subject-Token": alice})
    assert urllib.request.urlopen(gone, timeout=120).status == 204
    # What was remembered about it ends within swift.keystone_cache.
    wait_until("the token to end", lambda: send("HEAD", account, alice)[0] == 401, 20)


def test_a_keystone_that_is_down_is_503(keystone, people, send):
    account = f"/AUTH_{people['backups']}"
    alice = keystone.login("alice", "alice", "backups")
    other = keystone.login("alice", "alice", "backups")
    assert send("HEAD", account, alice)[0] == 204
    keystone.stop()
    try:
        status, headers, _ = send("HEAD", account, other)
        assert status == 503 and int(headers["retry-after"]) >= 1
        statuses = {send("HEAD", account, alice)[0] for _ in range(3)}
        assert statuses <= {204, 503}
        assert send("GET", account)[0] == 401
    finally:
        keystone.start()
    wait_until("the token to be good again", lambda: send("HEAD", account, other)[0] == 204, 20)


def test_composite_tokens(keystone, people, send):
    """An account that a service keeps for a project: the user's token alone, or the service's alone, opens nothing."""
    account = f"/SERVICE_{people['backups']}"
    alice, service = keystone.login("alice", "alice", "backups"), keystone.login("swift", "swift", "service")
    mallory = keystone.login("mallory", "mallory", "others")
    assert send("PUT", account + "/images", alice, X_Service_Token=service)[0] == 201
    assert send("PUT", account + "/images/o", alice, b"image", X_Service_Token=service)[0] == 201
    assert send("GET", account + "/images/o", alice, X_Service_Token=service)[2] == b"image"
    for token, second, status in [(alice, None, 403), (service, None, 403), (alice, mallory, 403), (service, service, 403),
                                  (mallory, service, 403), (None, service, 401), (alice, "nonsense", 401)]:
        assert send("GET", account + "/images/o", token, **({"X_Service_Token": second} if second else {}))[0] == status
    assert send("GET", f"/AUTH_SERVICE_{people['backups']}/images/o", alice)[0] == 403
    assert send("GET", f"/AUTH_{people['backups']}/images/o", alice, X_Service_Token=service)[0] == 404


def test_tokens_of_the_cluster_are_good_beside_them(cluster, send):
    answer = cluster.env
    url = urllib.parse.urlsplit(answer["MARTLET_SWIFT_AUTH_V1"])
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=120)
    connection.request("GET", url.path, headers={
        "X-Auth-User": f"{answer['MARTLET_KEYSTONE_TENANT']}:{answer['MARTLET_KEYSTONE_USER']}",
        "X-Auth-Key": answer["MARTLET_KEYSTONE_PASSWORD"]})
    login = connection.getresponse()
    path = urllib.parse.urlsplit(login.getheader("x-storage-url")).path
    assert send("HEAD", path.removeprefix("/v1"), login.getheader("x-auth-token"))[0] == 204
    logs = "".join(p.read_text(errors="replace") for p in (cluster.folder / "log").iterdir())
    assert login.getheader("x-auth-token") not in logs
