"""OpenStack's own clients, and rclone, as scripts."""
import os
import subprocess
import sys

import pytest

from conftest import md5, pattern, tool
from swiftapi import BASE, send

swiftclient = pytest.importorskip("swiftclient")
VERSIONS = ["1", "2", "3"]


def run(*command, cwd=None, env=None, text=True):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=text, timeout=120, cwd=cwd,
                          env={**os.environ, **(env or {})})
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


@pytest.fixture(params=VERSIONS)
def swift(request, demo, tmp_path):
    """The program `swift`, with a login of each version; called as a module, for the compiler has its name."""
    if request.param == "1":
        login = ["-V", "1", "-A", f"{BASE}/auth/v1.0", "-U", f"{demo.project}:{demo.user}", "-K", demo.password]
    else:
        login = ["-V", request.param, "--os-auth-url", f"{BASE}/{'v2.0' if request.param == '2' else 'v3'}",
                 "--os-username", demo.user, "--os-password", demo.password, "--os-region-name", "RegionOne",
                 *(["--os-tenant-name", demo.project] if request.param == "2" else
                   ["--os-project-name", demo.project, "--os-user-domain-id", "default", "--os-project-domain-id", "default"])]
    clean = {n: "" for n in os.environ if n.startswith(("OS_", "ST_"))}
    return lambda *arguments: run(sys.executable, "-m", "swiftclient.shell", *login, *arguments, cwd=tmp_path, env=clean)


def test_swift_stat_post_list(swift, demo, container):
    assert demo.path.split("/")[-1] in swift("stat")
    swift("post", container, "-m", "Color:blue")
    assert "Meta Color: blue" in swift("stat", container)
    assert container in swift("list").splitlines()
    assert "Core: swift" in swift("capabilities", BASE + "/v1")


def test_swift_upload_download(swift, container, tmp_path):
    data = pattern(300_000)
    (tmp_path / "file").write_bytes(data)
    swift("upload", container, "file", "--object-name", "dir/file", "-H", "X-Object-Meta-A: 1")
    assert swift("list", container).split() == ["dir/file"]
    assert "Meta A: 1" in swift("stat", container, "dir/file")
    swift("download", container, "dir/file", "-o", "back")
    assert (tmp_path / "back").read_bytes() == data
    swift("post", container, "dir/file", "-m", "B:2")
    assert "Meta B: 2" in swift("stat", container, "dir/file")
    swift("copy", container, "dir/file", "-d", f"/{container}/copy")
    assert swift("list", container, "--delimiter", "/").split() == ["copy", "dir/"]
    swift("delete", container, "copy", "dir/file")
    assert swift("list", container) == ""


@pytest.fixture
def parts_of(demo, container):
    """The container that clients put the segments of this one's objects into."""
    yield f"{container}_segments"
    if demo.send("HEAD", f"/{container}_segments").status == 204:
        demo.empty(f"{container}_segments")
        demo.send("DELETE", f"/{container}_segments")


@pytest.mark.parametrize("kind,header", [("--use-slo", "x-static-large-object"), ("--use-dlo", "x-object-manifest")])
def test_swift_segments(swift, demo, container, parts_of, tmp_path, kind, header):
    data = pattern(3_500_000)
    (tmp_path / "file").write_bytes(data)
    upload = ["upload", container, "file", "--segment-size", "1000000", "--segment-container", parts_of, kind, "--object-name", "dir/file"]
    swift(*upload)
    assert header in demo.send("HEAD", f"/{container}/dir/file").headers
    assert len(swift("list", parts_of).split()) == 4
    shown = swift("stat", container, "dir/file")
    assert "Content Length: 3500000" in shown
    swift("download", container, "dir/file", "-o", "back")
    assert (tmp_path / "back").read_bytes() == data
    # What is the same is not sent again.
    assert swift(*upload, "--skip-identical", "--verbose") == "dir/file\n"
    swift("copy", container, "dir/file", "-d", f"/{container}/copy")
    assert demo.send("GET", f"/{container}/copy").body == data
    (tmp_path / "file").write_bytes(data[:2_500_000])
    swift(*upload)
    assert len(swift("list", parts_of).split()) == 3
    swift("delete", container, "dir/file")
    assert swift("list", parts_of) == "" and swift("list", container).split() == ["copy"]


def test_swift_temporary_addresses(swift, demo, container):
    demo.put(f"/{container}/o", b"content")
    swift("post", "-m", "Temp-URL-Key:secret")
    try:
        origin = demo.url[:-len(demo.path)]
        for digest in ("sha1", "sha256", "sha512"):
            address = swift("tempurl", "GET", "60", f"{demo.path}/{container}/o", "secret", "--digest", digest).strip()
            assert send("GET", origin + address).body == b"content"
        prefixed = swift("tempurl", "GET", "60", f"{demo.path}/{container}/o", "secret", "--prefix-based", "--iso8601").strip()
        assert send("GET", origin + prefixed).body == b"content"
        ranged = swift("tempurl", "PUT", "60", f"{demo.path}/{container}/p", "secret", "--ip-range", "127.0.0.0/8").strip()
        assert send("PUT", origin + ranged, body=b"put").status == 201
        assert send("DELETE", origin + ranged).status == 401
    finally:
        swift("post", "-m", "Temp-URL-Key:")


def test_swift_capabilities(swift):
    shown = swift("capabilities", BASE + "/v1")
    for name in ("slo", "tempurl", "formpost", "bulk_upload", "bulk_delete", "container_quotas"):
        assert f"Additional middleware: {name}" in shown


def test_python_library(demo, container):
    connection = swiftclient.Connection(
        authurl=BASE + "/v3", user=demo.user, key=demo.password, auth_version="3", retries=0,
        os_options={"project_name": demo.project, "user_domain_id": "default", "project_domain_id": "default"})
    assert connection.put_object(container, "o", b"content", headers={"X-Object-Meta-A": "1"}) == md5(b"content")
    headers, body = connection.get_object(container, "o")
    assert body == b"content" and headers["x-object-meta-a"] == "1"
    assert [o["name"] for o in connection.get_container(container)[1]] == ["o"]
    with pytest.raises(swiftclient.ClientException) as refused:
        connection.head_object(container, "nothing")
    assert refused.value.http_status == 404
    connection.close()


def test_openstack(demo, container, tmp_path):
    openstack = tool("openstack")
    login = {
        "OS_AUTH_URL": BASE, "OS_IDENTITY_API_VERSION": "3", "OS_USERNAME": demo.user, "OS_PASSWORD": demo.password,
        "OS_PROJECT_NAME": demo.project, "OS_USER_DOMAIN_ID": "default", "OS_PROJECT_DOMAIN_ID": "default", "OS_REGION_NAME": "RegionOne"}
    (tmp_path / "file").write_bytes(b"content")
    run(openstack, "object", "create", container, "file", cwd=tmp_path, env=login)
    assert run(openstack, "object", "list", container, "-f", "value", env=login).split() == ["file"]
    run(openstack, "object", "save", container, "file", "--file", "back", cwd=tmp_path, env=login)
    assert (tmp_path / "back").read_bytes() == b"content"


def rclone_remote(demo, folder, version, more=""):
    """Runs rclone with a remote `m` of this version of login."""
    rclone = tool("rclone")
    config = folder / "rclone.conf"
    url = {"1": f"{BASE}/auth/v1.0", "2": f"{BASE}/v2.0", "3": f"{BASE}/v3"}[version]
    user = f"{demo.project}:{demo.user}" if version == "1" else demo.user
    scope = "" if version == "1" else f"tenant = {demo.project}\n"
    domain = "domain = Default\ntenant_domain = Default\n" if version == "3" else ""
    config.write_text(f"[m]\ntype = swift\nuser = {user}\nkey = {demo.password}\nauth = {url}\nauth_version = {version}\n{scope}{domain}"
                      f"region = RegionOne\n{more}")
    return lambda *arguments: run(rclone, "--config", config, "--retries", "1", *arguments)


@pytest.mark.parametrize("version", VERSIONS)
def test_rclone(demo, container, tmp_path, version):
    (tmp_path / "from" / "dir").mkdir(parents=True)
    files = {"a": pattern(1000), "dir/b ü": pattern(2_500_000), "empty": b""}
    for name, data in files.items():
        (tmp_path / "from" / name).write_bytes(data)
    call = rclone_remote(demo, tmp_path, version)
    call("copy", tmp_path / "from", f"m:{container}/up")
    call("check", tmp_path / "from", f"m:{container}/up", "--download")
    call("copy", f"m:{container}/up", tmp_path / "back")
    for name, data in files.items():
        assert (tmp_path / "back" / name).read_bytes() == data
    call("moveto", f"m:{container}/up/a", f"m:{container}/up/c")
    assert set(call("lsf", "-R", f"m:{container}/up").split("\n")) >= {"c", "dir/", "empty"}
    call("purge", f"m:{container}/up")
    assert call("lsf", "-R", f"m:{container}") == ""


def test_rclone_large_files(demo, container, parts_of, tmp_path):
    """Files beyond the size of a chunk become dynamic large objects."""
    (tmp_path / "from").mkdir()
    files = {"small": pattern(1000), "large": pattern(3_500_000), "other": pattern(1_048_577)}
    for name, data in files.items():
        (tmp_path / "from" / name).write_bytes(data)
    call = rclone_remote(demo, tmp_path, "3", "chunk_size = 1Mi\n")
    call("copy", tmp_path / "from", f"m:{container}")
    assert "x-object-manifest" in demo.send("HEAD", f"/{container}/large").headers
    assert len(demo.send("GET", f"/{parts_of}").lines) == 4 + 2
    call("check", tmp_path / "from", f"m:{container}", "--download")
    call("copy", f"m:{container}", tmp_path / "back")
    for name, data in files.items():
        assert (tmp_path / "back" / name).read_bytes() == data
    call("copyto", f"m:{container}/large", f"m:{container}/copy")
    call("moveto", f"m:{container}/other", f"m:{container}/moved")
    call("copyto", f"m:{container}/copy", tmp_path / "copy")
    call("copyto", f"m:{container}/moved", tmp_path / "moved")
    assert (tmp_path / "copy").read_bytes() == files["large"] and (tmp_path / "moved").read_bytes() == files["other"]
    call("purge", f"m:{container}")
    assert demo.send("GET", f"/{parts_of}").status in (204, 404)
    demo.send("PUT", f"/{container}")
