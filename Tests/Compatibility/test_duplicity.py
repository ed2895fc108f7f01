"""duplicity: a full backup, an incremental one, a restore of each, by S3 and by Swift with each version of login."""
import os
import pathlib
import subprocess
import sys
import time
import uuid

import pytest

from conftest import empty_bucket, pattern, tool
from swiftapi import BASE


def swift_login(version, demo):
    """What the environment must hold. For the logins before Keystone v3 duplicity's second connection, which asks for sizes and
    deletes, knows neither version nor tenant: swiftclient takes them from variables of its own."""
    login = {"SWIFT_USERNAME": demo.user, "SWIFT_PASSWORD": demo.password, "SWIFT_AUTHVERSION": version,
             "SWIFT_TENANTNAME": demo.project, "SWIFT_REGIONNAME": "RegionOne"}
    if version == "3":
        return {**login, "SWIFT_AUTHURL": f"{BASE}/v3", "SWIFT_USER_DOMAIN_ID": "default", "SWIFT_PROJECT_DOMAIN_ID": "default"}
    if version == "2":
        return {**login, "SWIFT_AUTHURL": f"{BASE}/v2.0", "OS_TENANT_NAME": demo.project}
    name = f"{demo.project}:{demo.user}"
    return {**login, "SWIFT_USERNAME": name, "SWIFT_AUTHURL": f"{BASE}/auth/v1.0",
            "ST_AUTH": f"{BASE}/auth/v1.0", "ST_USER": name, "ST_KEY": demo.password}


@pytest.fixture(params=["s3", "swift-1", "swift-2", "swift-3"])
def duplicity(request, s3, demo, tmp_path):
    program = tool("duplicity")
    name = f"duplicity-{uuid.uuid4().hex[:8]}"
    # The program is Debian's; the client libraries are those of the tests.
    libraries = os.pathsep.join(p for p in sys.path if p.endswith("site-packages"))
    environment = {**os.environ, "HOME": str(tmp_path), "PASSPHRASE": "", "PYTHONPATH": libraries}
    if request.param == "s3":
        # By Swift it makes its container itself.
        s3.create_bucket(Bucket=name)
        target, options = f"boto3+s3://{name}/deep/er", ["--s3-endpoint-url", os.environ["MARTLET_S3_ENDPOINT"]]
    else:
        target, options = f"swift://{name}/deep/er", []
        environment.update(swift_login(request.param[-1], demo))

    def run(*arguments):
        command = [program, *arguments, "--no-encryption", "--archive-dir", tmp_path / "archive", "--volsize", "1", "--num-retries", "2",
                   *options]
        done = subprocess.run([target if a == "TARGET" else str(a) for a in command], env=environment, capture_output=True, text=True,
                              timeout=180)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    yield run
    empty_bucket(s3, name)
    s3.delete_bucket(Bucket=name)


def content(folder):
    return {str(f.relative_to(folder)): f.read_bytes() for f in pathlib.Path(folder).rglob("*") if f.is_file()}


def test_backup_and_restore(duplicity, tmp_path):
    source = tmp_path / "source"
    (source / "d").mkdir(parents=True)
    (source / "large").write_bytes(pattern(3_500_000))
    (source / "d" / "ü small").write_text("one")
    first = content(source)
    duplicity("full", source, "TARGET")
    (source / "d" / "ü small").write_text("two")
    # It tells files apart by size and whole seconds.
    os.utime(source / "d" / "ü small", (time.time() + 10,) * 2)
    (source / "new").write_bytes(pattern(10_000, seed=2))
    duplicity("incremental", source, "TARGET")
    duplicity("restore", "TARGET", tmp_path / "back")
    assert content(tmp_path / "back") == content(source) != first
    duplicity("verify", "TARGET", source)
    assert "No orphaned or incomplete backup sets found" in duplicity("collection-status", "TARGET")
    # The next chain of backups replaces this one, whose objects are deleted.
    duplicity("full", source, "TARGET")
    assert duplicity("collection-status", "TARGET").count("Incremental") == 1
    duplicity("remove-all-but-n-full", "1", "TARGET", "--force")
    assert "Incremental" not in duplicity("collection-status", "TARGET")
    # Without its archive, duplicity reads all that it knows from the store.
    (tmp_path / "archive").rename(tmp_path / "lost")
    duplicity("restore", "TARGET", tmp_path / "again")
    assert content(tmp_path / "again") == content(source)
