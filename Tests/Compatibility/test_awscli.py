"""Everyday use of the AWS command line, straight at the gateway."""
import hashlib
import json
import os
import subprocess
import time
import uuid

import pytest

from conftest import LARGE_MB, MIB, pattern, tool


@pytest.fixture
def aws(tmp_path):
    program = tool("aws")

    def run(*arguments, status=0):
        done = subprocess.run(
            [program, "--endpoint-url", os.environ["MARTLET_S3_ENDPOINT"], *map(str, arguments)], capture_output=True,
            text=True, timeout=600, env={**os.environ, "AWS_CONFIG_FILE": str(tmp_path / "none"), "LC_ALL": "C.UTF-8"})
        assert done.returncode == status, f"aws {arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    return run


def write_file(path, size):
    with path.open("wb") as file:
        for number in range(0, size, MIB):
            file.write(pattern(min(MIB, size - number), number))


def md5_of(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def test_session(aws, tmp_path):
    name = f"aws-{uuid.uuid4().hex[:12]}"
    url = f"s3://{name}"
    small, large = tmp_path / "small.txt", tmp_path / "large"
    write_file(small, 4321)
    write_file(large, LARGE_MB * 1_000_000)

    aws("s3", "mb", url)
    assert name in aws("s3", "ls")
    aws("s3", "cp", small, f"{url}/small.txt")
    aws("s3", "cp", "--no-progress", large, f"{url}/dir/large")
    assert "PRE dir/" in aws("s3", "ls", url)
    assert "small.txt" in aws("s3", "ls", "--recursive", "--summarize", url)
    aws("s3", "cp", "--no-progress", f"{url}/dir/large", tmp_path / "large.back")
    assert md5_of(large) == md5_of(tmp_path / "large.back")
    aws("s3", "cp", f"{url}/small.txt", f"{url}/copy.txt")
    aws("s3", "mv", f"{url}/copy.txt", f"{url}/moved.txt")
    aws("s3", "cp", "--no-progress", f"{url}/dir/large", f"{url}/dir/copy of large")
    assert "copy.txt" not in aws("s3", "ls", "--recursive", url)
    head = json.loads(aws("s3api", "head-object", "--bucket", name, "--key", "small.txt", "--output", "json"))
    assert head["ContentLength"] == 4321
    aws("s3", "rb", url, status=1)
    aws("s3", "rb", "--force", url)
    assert name not in aws("s3", "ls")


def test_sync_of_a_tree(aws, tmp_path):
    name = f"sync-{uuid.uuid4().hex[:12]}"
    source, back = tmp_path / "source", tmp_path / "back"
    for number in range(500):
        folder = source / f"Ordner {number % 7}" / f"日本 {number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"Datei-{number:03} äöü+&=%.txt"
        file.write_bytes(pattern(number * 13, number))
        # S3 keeps whole seconds: a file younger than its second would look newer than its copy.
        os.utime(file, (time.time() - 10,) * 2)
    aws("s3", "mb", f"s3://{name}")
    aws("s3", "sync", "--no-progress", source, f"s3://{name}/tree")
    assert aws("s3", "sync", "--no-progress", source, f"s3://{name}/tree") == ""
    aws("s3", "sync", "--no-progress", f"s3://{name}/tree", back)
    files = sorted(path.relative_to(source) for path in source.rglob("*") if path.is_file())
    assert all((source / path).read_bytes() == (back / path).read_bytes() for path in files)
    (source / "Ordner 0").rename(source / "Neuer Ordner")
    aws("s3", "sync", "--no-progress", "--delete", source, f"s3://{name}/tree")
    listed = aws("s3", "ls", "--recursive", f"s3://{name}/tree/")
    assert "Neuer Ordner" in listed and "Ordner 0/" not in listed
    aws("s3", "rm", "--recursive", "--quiet", f"s3://{name}")
    aws("s3", "rb", f"s3://{name}")
