"""Logins, tokens and catalogs: v1, Keystone v2.0 and v3, by hand and with the real client library."""
import uuid

import pytest

from swiftapi import BASE, adm, login, password_scope, send

keystone_v3 = pytest.importorskip("keystoneauth1.identity.v3")
keystone_exceptions = pytest.importorskip("keystoneauth1.exceptions")
keystone_session = pytest.importorskip("keystoneauth1.session")


def token_headers(token, subject=None):
    return {"X-Auth-Token": token, **({"X-Subject-Token": subject} if subject else {})}


# v1

@pytest.mark.parametrize("path", ["/auth/v1.0", "/auth/v1.0/", "/v1.0"])
def test_v1(demo, path):
    headers = {"X-Auth-User": f"{demo.project}:{demo.user}", "X-Auth-Key": demo.password}
    answer = send("GET", path, headers)
    assert answer.status == 200
    assert answer.headers["x-storage-url"] == demo.url
    assert answer.headers["x-auth-token"] == answer.headers["x-storage-token"]
    assert 0 < int(answer.headers["x-auth-token-expires"]) <= 86400
    # The same token while it is good.
    assert send("GET", path, headers).headers["x-auth-token"] == answer.headers["x-auth-token"]
    assert send("HEAD", demo.url, {"X-Auth-Token": answer.headers["x-auth-token"]}).status == 204
    older = send("GET", path, {"X-Storage-User": headers["X-Auth-User"], "X-Storage-Pass": headers["X-Auth-Key"]})
    assert older.status == 200 and older.headers["x-auth-token"] == answer.headers["x-auth-token"]
    assert send("HEAD", demo.url, {"X-Storage-Token": answer.headers["x-storage-token"]}).status == 204


@pytest.mark.parametrize("user,key", [
    ("demo:demo", "wrong"), ("demo:nobody", "x"), ("nothing:demo", None), ("demo:demo", ""), ("", "x"), (":", "x")])
def test_v1_refuses(demo, user, key):
    answer = send("GET", "/auth/v1.0", {"X-Auth-User": user, "X-Auth-Key": demo.password if key is None else key})
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Swift realm=")
    assert "x-auth-token" not in answer.headers


# v2.0

def test_v2(demo):
    credentials = {"username": demo.user, "password": demo.password}
    answer = send("POST", "/v2.0/tokens", body={"auth": {"passwordCredentials": credentials, "tenantName": demo.project}})
    assert answer.status == 200
    access = answer.json["access"]
    assert access["token"]["tenant"]["name"] == demo.project
    assert access["token"]["expires"].endswith("Z") and "." not in access["token"]["expires"]
    store = next(s for s in access["serviceCatalog"] if s["type"] == "object-store")
    assert store["endpoints"][0]["publicURL"] == demo.url and store["endpoints"][0]["region"] == "RegionOne"
    assert {"name": "swiftoperator"} in access["user"]["roles"]
    token = access["token"]["id"]
    assert send("HEAD", demo.url, token_headers(token)).status == 204
    assert send("GET", f"/v2.0/tokens/{token}", token_headers(token)).json["access"]["user"]["name"] == demo.user
    tenants = send("GET", "/v2.0/tenants", token_headers(token)).json["tenants"]
    assert demo.project in [t["name"] for t in tenants]
    tenant_id = access["token"]["tenant"]["id"]
    again = send("POST", "/v2.0/tokens", body={"auth": {"token": {"id": token}, "tenantId": tenant_id}})
    assert again.status == 200 and again.json["access"]["token"]["tenant"]["id"] == tenant_id


def test_v2_without_tenant(demo):
    credentials = {"username": demo.user, "password": demo.password}
    access = send("POST", "/v2.0/tokens", body={"auth": {"passwordCredentials": credentials}}).json["access"]
    assert access["serviceCatalog"] == [] and "tenant" not in access["token"]
    assert send("HEAD", demo.url, token_headers(access["token"]["id"])).status == 403


@pytest.mark.parametrize("user,password,tenant", [
    ("demo", "wrong", "demo"), ("nobody", "x", "demo"), ("demo", None, "nothing"), ("demo", "", "demo")])
def test_v2_refuses(demo, user, password, tenant):
    credentials = {"username": user, "password": demo.password if password is None else password}
    answer = send("POST", "/v2.0/tokens", body={"auth": {"passwordCredentials": credentials, "tenantName": tenant}})
    assert answer.status == 401
    assert answer.json["error"] == {
        "code": 401, "title": "Unauthorized", "message": "The request you have made requires authentication."}


# v3

def test_discovery():
    answer = send("GET", "/")
    assert answer.status == 300 and answer.headers["location"] == BASE + "/v3/"
    assert [v["id"] for v in answer.json["versions"]["values"]] == ["v3.14", "v2.0"]
    assert send("GET", "/v3").json["version"]["id"] == "v3.14"
    assert send("GET", "/v2.0").json["version"]["status"] == "deprecated"
    assert send("GET", "/v3/nothing").status == 404


def test_v3_token(demo):
    answer = send("POST", "/v3/auth/tokens", body=password_scope(demo.user, demo.password, demo.project))
    assert answer.status == 201
    token, body = answer.headers["x-subject-token"], answer.json["token"]
    assert len(token) < 255
    assert body["methods"] == ["password"] and body["user"]["name"] == demo.user
    assert body["project"]["name"] == demo.project and body["expires_at"].endswith("000Z")
    assert [r["name"] for r in body["roles"]] == ["swiftoperator"]
    shown = send("GET", "/v3/auth/tokens", token_headers(token, token))
    assert shown.status == 200 and shown.json["token"]["audit_ids"] == body["audit_ids"]
    assert send("HEAD", "/v3/auth/tokens", token_headers(token, token)).status == 200
    assert send("GET", "/v3/auth/tokens", token_headers(token, "nonsense")).status == 404
    assert send("GET", "/v3/auth/tokens", {"X-Subject-Token": token}).status == 401
    projects = send("GET", "/v3/auth/projects", token_headers(token)).json["projects"]
    assert demo.project in [p["name"] for p in projects]
    catalog = send("GET", "/v3/auth/catalog", token_headers(token)).json["catalog"]
    assert {s["type"] for s in catalog} == {"object-store", "identity"}


def test_v3_token_by_token(demo):
    unscoped = password_scope(demo.user, demo.password)
    unscoped["auth"]["scope"] = "unscoped"
    answer = send("POST", "/v3/auth/tokens", body=unscoped)
    assert answer.status == 201 and "project" not in answer.json["token"] and "catalog" not in answer.json["token"]
    token = answer.headers["x-subject-token"]
    scoped = send("POST", "/v3/auth/tokens?nocatalog", body={"auth": {
        "identity": {"methods": ["token"], "token": {"id": token}},
        "scope": {"project": {"name": demo.project, "domain": {"name": "Default"}}}}})
    assert scoped.status == 201 and "catalog" not in scoped.json["token"]
    assert scoped.json["token"]["methods"] == ["password", "token"] and len(scoped.json["token"]["audit_ids"]) == 2
    # What it was got with is revoked, so it ends too.
    assert send("DELETE", "/v3/auth/tokens", token_headers(token, token)).status == 204
    assert send("HEAD", demo.url, token_headers(scoped.headers["x-subject-token"])).status == 401


def test_v3_default_project(demo):
    assert send("POST", "/v3/auth/tokens", body=password_scope(demo.user, demo.password)).json["token"]["project"]["name"] == demo.project


def test_v3_revocation(demo):
    token, url = login(demo.user, demo.password, demo.project)
    assert send("HEAD", url, token_headers(token)).status == 204
    assert send("DELETE", "/v3/auth/tokens", token_headers(token, token)).status == 204
    assert send("HEAD", url, token_headers(token)).status == 401
    assert send("GET", "/v3/auth/tokens", token_headers(token, token)).status == 401


def test_every_bad_login_looks_the_same(demo):
    def scoped(scope):
        return {"auth": {**password_scope(demo.user, demo.password)["auth"], "scope": scope}}

    bad = [
        password_scope(demo.user, "wrong", demo.project), password_scope("nobody", demo.password, demo.project),
        password_scope(demo.user, demo.password, "nothing"), scoped({"domain": {"id": "default"}}), scoped({"system": {"all": True}}),
        scoped({"project": {"name": demo.project, "domain": {"id": "other"}}}),
        {"auth": {"identity": {"methods": ["token"], "token": {"id": "nonsense"}}}},
        {"auth": {"identity": {"methods": ["application_credential"], "application_credential": {"id": "0" * 32, "secret": "x"}}}},
    ]
    answers = [send("POST", "/v3/auth/tokens", body=body) for body in bad]
    assert {a.status for a in answers} == {401}
    assert len({a.body for a in answers}) == 1
    assert len({tuple(sorted(n for n, _ in a.raw_headers)) for a in answers}) == 1
    assert answers[0].headers["www-authenticate"] == f'Keystone uri="{BASE}/v3"'


@pytest.mark.parametrize("body", [
    {}, {"auth": {}}, {"auth": {"identity": {}}}, {"auth": {"identity": {"methods": ["password"]}}}, {"auth": []}, []])
def test_malformed_logins(body):
    assert send("POST", "/v3/auth/tokens", body=body).status == 400


def test_a_login_must_be_small():
    assert send("POST", "/v3/auth/tokens", body="x" * 100_000).status == 413


def test_application_credential(demo):
    name = f"key-{uuid.uuid4().hex[:8]}"
    made = adm("create-application-credential", demo.user, demo.project, name)
    for given in ({"id": made["id"]}, {"name": name, "user": {"name": demo.user, "domain": {"id": "default"}}}):
        answer = send("POST", "/v3/auth/tokens", body={"auth": {"identity": {
            "methods": ["application_credential"], "application_credential": {**given, "secret": made["secret"]}}}})
        assert answer.status == 201, answer.text
        assert answer.json["token"]["application_credential"] == {"id": made["id"], "name": name, "restricted": True}
    token = answer.headers["x-subject-token"]
    assert send("HEAD", demo.url, token_headers(token)).status == 204
    adm("delete-application-credential", demo.user, name)
    assert send("HEAD", demo.url, token_headers(token)).status == 401


def test_roles_and_passwords_count_at_once():
    name = f"user-{uuid.uuid4().hex[:8]}"
    adm("create-project", name)
    adm("create-user", name, "--password-file", "-", "--project", name, stdin="first\n")
    token, url = login(name, "first", name)
    assert send("HEAD", url, token_headers(token)).status == 204

    def ends(token):
        assert send("HEAD", url, token_headers(token)).status == 401

    adm("update-user-password", name, "--password-file", "-", stdin="second\n")
    ends(token)
    assert send("POST", "/v3/auth/tokens", body=password_scope(name, "first", name)).status == 401
    token, _ = login(name, "second", name)
    adm("remove-role", name, name, "swiftoperator")
    ends(token)
    assert send("POST", "/v3/auth/tokens", body=password_scope(name, "second", name)).status == 401


def test_keystoneauth(demo):
    """Discovery, login and catalog by the library that OpenStack's clients share."""
    auth = keystone_v3.Password(
        auth_url=BASE, username=demo.user, password=demo.password, project_name=demo.project, user_domain_id="default",
        project_domain_id="default")
    session = keystone_session.Session(auth=auth)
    assert session.get_endpoint(service_type="object-store", interface="public", region_name="RegionOne") == demo.url
    with pytest.raises(keystone_exceptions.EndpointNotFound):
        session.get_endpoint(service_type="object-store", region_name="elsewhere")
    assert session.head(demo.url).status_code == 204
