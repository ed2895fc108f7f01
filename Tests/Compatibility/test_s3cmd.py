"""The predecessor's well-known first session with s3cmd: through the gateway as proxy, and straight at it."""
import hashlib
import os
import re
import subprocess
import urllib.parse
import uuid

import pytest

from conftest import LARGE_MB, MIB, pattern, tool

ENDPOINT = urllib.parse.urlsplit(os.environ["MARTLET_S3_ENDPOINT"])


class S3cmd:
    def __init__(self, program, folder, ways):
        self.program, self.config = program, folder / "s3cfg"
        settings = {
            "access_key": os.environ["AWS_ACCESS_KEY_ID"], "secret_key": os.environ["AWS_SECRET_ACCESS_KEY"],
            "use_https": False, "guess_mime_type": True, **ways}
        lines = [f"{name} = {value}" for name, value in settings.items()]
        self.config.write_text("[default]\n" + "\n".join(lines) + "\n")

    def __call__(self, *arguments, status=0):
        done = subprocess.run(
            [self.program, "-c", self.config, "--no-progress", *map(str, arguments)], capture_output=True, text=True,
            timeout=600, env={**os.environ, "LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "utf-8"})
        assert done.returncode == status, f"s3cmd {arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


THROUGH_PROXY = {
    "host_base": "s3.amazonaws.com", "host_bucket": "%(bucket)s.s3.amazonaws.com",
    "proxy_host": ENDPOINT.hostname, "proxy_port": ENDPOINT.port}
STRAIGHT = {"host_base": ENDPOINT.netloc, "host_bucket": ENDPOINT.netloc}


@pytest.fixture(params=[(where, version) for where in ("proxy", "straight") for version in (2, 4)], ids=str)
def s3cmd(request, tmp_path):
    where, version = request.param
    ways = {**(THROUGH_PROXY if where == "proxy" else STRAIGHT), "signature_v2": version == 2}
    return S3cmd(tool("s3cmd"), tmp_path, ways)


def write_file(path, size):
    with path.open("wb") as file:
        for number in range(0, size, MIB):
            file.write(pattern(min(MIB, size - number), number))
    return md5_of(path)


def md5_of(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def test_first_session(s3cmd, tmp_path):
    name = f"first-{uuid.uuid4().hex[:12]}"
    url = f"s3://{name}"
    small, large = tmp_path / "small.txt", tmp_path / "large"
    small_md5, large_md5 = write_file(small, 4321), write_file(large, LARGE_MB * 1_000_000)

    s3cmd("mb", url)
    assert url in s3cmd("ls")
    s3cmd("put", small, f"{url}/small.txt")
    s3cmd("put", large, f"{url}/dir/large")
    assert f"{url}/small.txt" in s3cmd("ls", url)
    assert f"{url}/dir/" in s3cmd("ls", url)

    info = s3cmd("info", f"{url}/small.txt")
    assert small_md5 in info and "4321" in info
    assert re.search(r"File size:\s+%d" % (LARGE_MB * 1_000_000), s3cmd("info", f"{url}/dir/large"))
    s3cmd("get", f"{url}/small.txt", tmp_path / "small.back")
    s3cmd("get", f"{url}/dir/large", tmp_path / "large.back")
    assert (md5_of(tmp_path / "small.back"), md5_of(tmp_path / "large.back")) == (small_md5, large_md5)

    s3cmd("cp", f"{url}/small.txt", f"{url}/copy.txt")
    s3cmd("mv", f"{url}/copy.txt", f"{url}/moved.txt")
    listed = s3cmd("ls", "--recursive", url)
    assert "moved.txt" in listed and "copy.txt" not in listed
    assert str(4321 * 2 + LARGE_MB * 1_000_000) in s3cmd("du", url)
    assert f"{url}/moved.txt" in s3cmd("la")

    s3cmd("setacl", "--acl-public", f"{url}/small.txt")
    assert "anon" in s3cmd("info", f"{url}/small.txt")
    s3cmd("setacl", "--acl-private", f"{url}/small.txt")

    s3cmd("rb", url, status=13)  # not empty
    s3cmd("del", "--recursive", "--force", url)
    assert s3cmd("ls", "--recursive", url) == ""
    s3cmd("rb", url)
    assert url not in s3cmd("ls").split()


def test_sync_of_a_tree(s3cmd, tmp_path):
    name = f"sync-{uuid.uuid4().hex[:12]}"
    source, back = tmp_path / "source", tmp_path / "back"
    for number in range(500):
        folder = source / f"Ordner {number % 7}" / f"日本 {number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"Datei-{number:03} äöü+&=%.txt").write_bytes(pattern(number * 13, number))
    back.mkdir()

    s3cmd("mb", f"s3://{name}")
    s3cmd("sync", f"{source}/", f"s3://{name}/tree/")
    again = s3cmd("sync", f"{source}/", f"s3://{name}/tree/")
    assert "upload:" not in again
    s3cmd("sync", f"s3://{name}/tree/", f"{back}/")
    files = sorted(path.relative_to(source) for path in source.rglob("*") if path.is_file())
    assert sorted(path.relative_to(back) for path in back.rglob("*") if path.is_file()) == files
    assert all((source / path).read_bytes() == (back / path).read_bytes() for path in files)
    s3cmd("del", "--recursive", "--force", f"s3://{name}")
    s3cmd("rb", f"s3://{name}")
