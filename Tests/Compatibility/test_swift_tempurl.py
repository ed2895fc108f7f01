"""Signed addresses (TempURL) and signed forms (FormPOST), with good and bad use of everything that /info announces."""
import base64
import hmac
import time
import urllib.parse
import uuid

import pytest

from conftest import md5, pattern
from swiftapi import send

DIGESTS = ["sha1", "sha256", "sha512"]
KEYS = [("account", "-Key"), ("account", "-Key-2"), ("container", "-Key"), ("container", "-Key-2")]


@pytest.fixture
def keys(demo, container):
    """One key of each kind; those of the account are removed again."""
    made = {kind: uuid.uuid4().hex for kind in KEYS}
    for (level, suffix), key in made.items():
        path = "" if level == "account" else f"/{container}"
        assert demo.send("POST", path, {f"X-{level.title()}-Meta-Temp-URL{suffix}": key}).status == 204
    yield made
    for level, suffix in KEYS[:2]:
        demo.send("POST", "", {f"X-Remove-Account-Meta-Temp-URL{suffix}": "x"})


@pytest.fixture
def key(keys):
    return keys["account", "-Key"]


def sign(key, text, digest="sha256"):
    return hmac.new(key.encode(), text.encode(), digest).hexdigest()


def address(demo, path, key, method="GET", expires=None, digest="sha256", shown=None, **query):
    """A signed address; `path` below the account, decoded."""
    expires = int(time.time()) + 60 if expires is None else expires
    text = f"{method}\n{expires}\n{demo.path}{path}"
    query = {"temp_url_sig": sign(key, text, digest), "temp_url_expires": shown or str(expires), **query}
    return demo.path + urllib.parse.quote(path) + "?" + urllib.parse.urlencode(query)


def origin(demo):
    return demo.url[:-len(demo.path)]


def open_(demo, method, target, headers=None, body=None):
    return send(method, origin(demo) + target, headers, body)


# TempURL

def test_info_tells_what_works():
    info = send("GET", "/info").json
    assert info["tempurl"]["allowed_digests"] == DIGESTS == info["formpost"]["allowed_digests"]
    assert info["tempurl"]["methods"] == ["GET", "HEAD", "PUT", "POST", "DELETE"]


@pytest.mark.parametrize("digest", DIGESTS)
@pytest.mark.parametrize("kind", KEYS, ids="".join)
def test_keys_and_digests(demo, container, keys, kind, digest):
    demo.put(f"/{container}/a/%C3%BC", b"content")
    answer = open_(demo, "GET", address(demo, f"/{container}/a/ü", keys[kind], digest=digest))
    assert answer.status == 200 and answer.body == b"content"


@pytest.mark.parametrize("digest", DIGESTS)
def test_signature_in_base64(demo, container, key, digest):
    demo.put(f"/{container}/o", b"content")
    expires = int(time.time()) + 60
    raw = hmac.new(key.encode(), f"GET\n{expires}\n{demo.path}/{container}/o".encode(), digest).digest()
    for text in (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode().rstrip("=")):
        query = urllib.parse.urlencode({"temp_url_sig": f"{digest}:{text}", "temp_url_expires": expires})
        assert open_(demo, "GET", f"{demo.path}/{container}/o?{query}").body == b"content"


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S"])
def test_expires_as_a_date(demo, container, key, form):
    demo.put(f"/{container}/o", b"content")
    expires = int(time.time()) + 60
    target = address(demo, f"/{container}/o", key, expires=expires, shown=time.strftime(form, time.gmtime(expires)))
    assert open_(demo, "GET", target).body == b"content"


def test_methods(demo, container, key):
    path = f"/{container}/o"
    put = open_(demo, "PUT", address(demo, path, key, "PUT"), {"X-Object-Meta-A": "1", "Content-Type": "text/x-own"}, b"content")
    assert put.status == 201 and demo.send("GET", path).body == b"content"
    for signed in ("GET", "HEAD", "PUT", "POST"):
        assert open_(demo, "HEAD", address(demo, path, key, signed)).status == 200, signed
    assert open_(demo, "HEAD", address(demo, path, key, "DELETE")).status == 401
    assert open_(demo, "POST", address(demo, path, key, "POST"), {"X-Object-Meta-B": "2"}).status == 202
    assert demo.send("HEAD", path).headers["x-object-meta-b"] == "2"
    for signed, method in [("GET", "PUT"), ("GET", "DELETE"), ("PUT", "GET"), ("PUT", "DELETE"), ("HEAD", "GET"), ("POST", "PUT")]:
        assert open_(demo, method, address(demo, path, key, signed), body=b"").status == 401, (signed, method)
    assert open_(demo, "DELETE", address(demo, path, key, "DELETE")).status == 204
    assert demo.send("HEAD", path).status == 404


def test_what_is_wrong(demo, container, keys, key):
    demo.put(f"/{container}/o", b"content")
    demo.put(f"/{container}/other", b"content")
    good = address(demo, f"/{container}/o", key)
    refused = [
        good.replace(f"/{container}/o?", f"/{container}/other?"), good + "0", good.replace("temp_url_expires=1", "temp_url_expires=2"),
        good.replace("temp_url_sig=", "sig="), good.split("&temp_url_expires")[0], f"{demo.path}/{container}/o?temp_url_sig=x",
        address(demo, f"/{container}/o", "another key"), address(demo, f"/{container}/o", ""),
        address(demo, f"/{container}/o", key, expires=int(time.time()) - 1), address(demo, f"/{container}/o", key, shown="soon"),
        address(demo, f"/{container}/o", key, digest="md5"), address(demo, f"/{container}", key),
        address(demo, f"/{container}/o", key) + "&multipart-manifest=delete", address(demo, f"/{container}/o", key, "POST") + "&bulk-delete"]
    for target in refused:
        answer = open_(demo, "POST" if target.endswith("bulk-delete") else "GET", target, body=None)
        assert answer.status == 401, target
        assert answer.headers["www-authenticate"].startswith("Swift realm=")
    assert open_(demo, "GET", refused[0]).text == "401 Unauthorized: Temp URL invalid\n"
    # A good token does not mend a bad signature.
    assert open_(demo, "GET", refused[1], {"X-Auth-Token": demo.token}).status == 401
    assert open_(demo, "GET", good).status == 200


def test_prefix(demo, container, key):
    for name in ("a/1", "a/2", "b"):
        demo.put(f"/{container}/{name}", name.encode())
    expires = int(time.time()) + 60
    signature = sign(key, f"GET\n{expires}\nprefix:{demo.path}/{container}/a/")
    query = urllib.parse.urlencode({"temp_url_sig": signature, "temp_url_expires": expires, "temp_url_prefix": "a/"})
    for name, status in [("a/1", 200), ("a/2", 200), ("b", 401)]:
        assert open_(demo, "GET", f"{demo.path}/{container}/{name}?{query}").status == status
    assert open_(demo, "GET", f"{demo.path}/{container}/b?{query.replace('a%2F', '')}").status == 401


@pytest.mark.parametrize("range_,status", [
    ("127.0.0.0/8", 200), ("127.0.0.1", 200), ("0.0.0.0/0", 200), ("10.0.0.0/8", 401), ("::1", 401), ("nonsense", 401), ("127.0.0.1/40", 401)])
def test_address_range(demo, container, key, range_, status):
    demo.put(f"/{container}/o", b"content")
    expires = int(time.time()) + 60
    signature = sign(key, f"ip={range_}\nGET\n{expires}\n{demo.path}/{container}/o")
    query = urllib.parse.urlencode({"temp_url_sig": signature, "temp_url_expires": expires, "temp_url_ip_range": range_})
    assert open_(demo, "GET", f"{demo.path}/{container}/o?{query}").status == status
    # Without it the signature is another one.
    assert open_(demo, "GET", f"{demo.path}/{container}/o?{query.split('&temp_url_ip_range')[0]}").status == 401


@pytest.mark.parametrize("query,expected", [
    ({}, "attachment; filename=\"my file\"; filename*=UTF-8''my%20file"),
    ({"filename": "bob & co.txt"}, "attachment; filename=\"bob %26 co.txt\"; filename*=UTF-8''bob%20%26%20co.txt"),
    ({"inline": ""}, "inline"), ({"inline": "", "filename": "x"}, "inline; filename=\"x\"; filename*=UTF-8''x"),
    ({"filename": 'a"\r\nX: y'}, "attachment; filename=\"a%22%0D%0AX%3A y\"; filename*=UTF-8''a%22%0D%0AX%3A%20y")])
def test_names_to_save_under(demo, container, key, query, expected):
    demo.put(f"/{container}/dir/my%20file", b"content")
    expires = int(time.time()) + 60
    answer = open_(demo, "GET", address(demo, f"/{container}/dir/my file", key, expires=expires, **query))
    assert answer.headers["content-disposition"] == expected
    assert answer.headers["expires"] == time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(expires))


def test_own_disposition_stays(demo, container, key):
    demo.put(f"/{container}/o", b"content", Content_Disposition="inline; filename=own")
    assert open_(demo, "GET", address(demo, f"/{container}/o", key)).headers["content-disposition"] == "inline; filename=own"
    assert "own" not in open_(demo, "GET", address(demo, f"/{container}/o", key, filename="x")).headers["content-disposition"]


def test_metadata_is_hidden(demo, container, key):
    demo.put(f"/{container}/o", b"content", X_Object_Meta_Secret="1", X_Object_Meta_Public_Color="blue")
    for headers in ({}, {"If-Match": "other"}, {"If-None-Match": "*"}):
        answer = open_(demo, "GET", address(demo, f"/{container}/o", key), headers)
        assert answer.status in (200, 304, 412) and "x-object-meta-secret" not in answer.headers
    assert open_(demo, "HEAD", address(demo, f"/{container}/o", key)).headers["x-object-meta-public-color"] == "blue"


@pytest.mark.parametrize("header", ["X-Object-Manifest", "X-Symlink-Target", "X-Copy-From"])
def test_bearers_put_content_only(demo, container, key, header):
    demo.put(f"/{container}/o", b"content")
    answer = open_(demo, "PUT", address(demo, f"/{container}/new", key, "PUT"), {header: f"{container}/o"})
    assert answer.status == 400 and header in answer.text
    assert demo.send("HEAD", f"/{container}/new").status == 404
    target = address(demo, f"/{container}/new", key, "PUT") + "&multipart-manifest=put"
    assert open_(demo, "PUT", target, body=f'[{{"path": "/{container}/o"}}]').status == 401


def test_large_objects(demo, container, keys):
    """A key of the account opens all segments, one of the container those in it only."""
    other = f"other-{uuid.uuid4().hex[:8]}"
    demo.put(f"/{other}")
    try:
        demo.put(f"/{other}/seg/1", b"one")
        demo.put(f"/{container}/seg/1", b"two")
        for name, where in (("far", other), ("near", container)):
            demo.put(f"/{container}/dlo-{name}", X_Object_Manifest=f"{where}/seg/")
            manifest = f'[{{"path": "/{where}/seg/1"}}]'
            assert demo.send("PUT", f"/{container}/slo-{name}?multipart-manifest=put", body=manifest).status == 201
        for kind in ("slo", "dlo"):
            for name, level, status in [("far", "account", 200), ("near", "account", 200), ("far", "container", 401), ("near", "container", 200)]:
                answer = open_(demo, "GET", address(demo, f"/{container}/{kind}-{name}", keys[level, "-Key"]))
                assert answer.status == status, (kind, name, level)
    finally:
        demo.empty(other)
        demo.send("DELETE", f"/{other}")


def test_keys_are_hidden_from_readers(demo, container, keys):
    demo.send("POST", f"/{container}", {"X-Container-Read": ".r:*,.rlistings"})
    assert demo.send("HEAD", f"/{container}").headers["x-container-meta-temp-url-key"] == keys["container", "-Key"]
    stranger = demo.send("HEAD", f"/{container}", token=None)
    assert stranger.status == 204 and not [h for h in stranger.headers if "temp-url" in h]
    assert demo.send("HEAD").headers["x-account-meta-temp-url-key"] == keys["account", "-Key"]


def test_a_changed_key_closes_the_address(demo, container, keys):
    demo.put(f"/{container}/o", b"content")
    target = address(demo, f"/{container}/o", keys["container", "-Key"])
    assert open_(demo, "GET", target).status == 200
    demo.send("POST", f"/{container}", {"X-Container-Meta-Temp-URL-Key": "new"})
    assert open_(demo, "GET", target).status == 401


# FormPOST

def form(fields, files, boundary="xXx"):
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode() for n, v in fields.items()]
    for name, content in files:
        parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
                     f"Content-Type: text/x-own\r\n\r\n".encode() + content + b"\r\n")
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def post(demo, path, key, files, digest="sha256", change=None, **terms):
    """Signs the terms and sends the form; `change` replaces fields after the signing."""
    terms = {"redirect": "", "max_file_size": 1000, "max_file_count": 3, "expires": int(time.time()) + 60, **terms}
    names = ("redirect", "max_file_size", "max_file_count", "expires")
    text = "\n".join([demo.path + path, *(str(terms[n]) for n in names)])
    fields = {**terms, "signature": sign(key, text, digest), **(change or {})}
    body, headers = form(fields, files)
    return open_(demo, "POST", demo.path + urllib.parse.quote(path), headers, body)


@pytest.mark.parametrize("digest", DIGESTS)
@pytest.mark.parametrize("kind", KEYS, ids="".join)
def test_form(demo, container, keys, kind, digest):
    answer = post(demo, f"/{container}/up/", keys[kind], [("a ü", b"first"), ("b", b""), ("c", b"x" * 1000)], digest)
    assert (answer.status, answer.text) == (201, "201 Created")
    assert demo.send("GET", f"/{container}").text.splitlines() == ["up/a ü", "up/b", "up/c"]
    first = demo.send("GET", f"/{container}/up/a%20%C3%BC")
    assert first.body == b"first" and first.headers["content-type"] == "text/x-own"
    assert first.headers["etag"] == md5(b"first")


def test_form_to_a_container(demo, container, key):
    data = pattern(3_000_000)
    assert post(demo, f"/{container}", key, [("large", data)], max_file_size=len(data)).status == 201
    assert demo.send("GET", f"/{container}/large").body == data


def test_form_redirect(demo, container, key):
    answer = post(demo, f"/{container}/", key, [("a", b"x")], redirect="http://example.org/done?a=b")
    assert answer.status == 303 and answer.headers["location"] == "http://example.org/done?a=b&status=201&message="
    answer = post(demo, f"/{container}/", key, [("b", b"x" * 1001)], redirect="http://example.org/done")
    assert answer.headers["location"] == "http://example.org/done?status=400&message=max_file_size%20exceeded"
    assert b"Click to continue" in answer.body


def test_form_expiry_of_objects(demo, container, key):
    soon = int(time.time()) + 1000
    assert post(demo, f"/{container}/", key, [("a", b"x")], change={"x_delete_at": soon}).status == 201
    assert demo.send("HEAD", f"/{container}/a").headers["x-delete-at"] == str(soon)
    assert post(demo, f"/{container}/", key, [("b", b"x")], change={"x_delete_after": "x"}).status == 400


@pytest.mark.parametrize("change,terms,status,text", [
    ({"signature": "0" * 64}, {}, 401, "FormPost: invalid signature"), ({"signature": "x"}, {}, 401, "FormPost: invalid signature"),
    ({"max_file_size": 2000}, {}, 401, "FormPost: invalid signature"), ({"redirect": "http://x/"}, {}, 401, "FormPost: invalid signature"),
    ({}, {"expires": 1}, 401, "FormPost: form expired"), ({"expires": "x"}, {}, 400, "FormPost: expired not an integer"),
    ({"max_file_size": "x"}, {}, 400, "FormPost: max_file_size not an integer"),
    ({"max_file_count": "-1"}, {}, 400, "FormPost: max_file_count not an integer")])
def test_forms_that_are_refused(demo, container, key, change, terms, status, text):
    answer = post(demo, f"/{container}/", key, [("a", b"x")], change=change, **terms)
    assert (answer.status, answer.text) == (status, text)
    assert demo.send("HEAD", f"/{container}/a").status == 404


def test_form_limits(demo, container, key):
    answer = post(demo, f"/{container}/", key, [("a", b"x" * 1001)])
    assert answer.status == 400 and "Max_File_Size Exceeded" in answer.text
    assert demo.send("HEAD", f"/{container}/a").status == 404
    answer = post(demo, f"/{container}/", key, [(str(n), b"x") for n in range(4)])
    assert answer.status == 400 and "Max File Count Exceeded" in answer.text
    assert demo.send("GET", f"/{container}").lines == ["0", "1", "2"]
    answer = post(demo, f"/{container}/", key, [])
    assert answer.status == 400 and "No Files To Process" in answer.text
    assert post(demo, f"/no-such-{container}/", key, [("a", b"x")]).status == 404
    body, headers = form({}, [("a", b"x")])
    assert open_(demo, "POST", f"{demo.path}/{container}/", headers, body[:-30]).status in (400, 401)
    # Another container's address, the same form.
    assert open_(demo, "POST", f"{demo.path}/{container}/x", headers, body).status == 401
