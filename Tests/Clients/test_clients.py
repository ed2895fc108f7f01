"""Everyday use of real clients, against the cluster that the environment names (compose/up writes it to DIR/env).

Each client is a script of its own in this folder, to be read and to be run by hand:

    compose/up && . martlet-data/env && Tests/Clients/rclone.sh

A client that is not installed is skipped by its name. With --large (`compose/test --clients`) large files have 200 MB
and trees 1,000 files; otherwise 20 MB and 100 files, so that each script takes seconds.
"""
import os
import pathlib
import subprocess
import sys

import pytest

FOLDER = pathlib.Path(__file__).parent
SCRIPTS = [
    "s3api.sh", "rclone.sh", "awscli.sh", "s3cmd.sh 2 straight", "s3cmd.sh 4 straight", "s3cmd.sh 2 proxy", "s3cmd.sh 4 proxy", "s5cmd.sh",
    "restic.sh", "s3fs.sh", "minio_py.py", "parquet_pyarrow.py", "parquet_duckdb.py", "obstore_conditional.py"]
NOT_INSTALLED = 77


def test_every_script_is_run():
    present = {file.name for file in FOLDER.iterdir() if os.access(file, os.X_OK) and file.is_file()}
    assert present == {script.split()[0] for script in SCRIPTS}


@pytest.mark.parametrize("script", SCRIPTS)
def test_client(script, request, tmp_path):
    name, *arguments = script.split()
    large = request.config.getoption("--large")
    sizes = {"MARTLET_CLIENT_LARGE_MB": "200", "MARTLET_CLIENT_FILES": "1000"} if large else {}
    program = [sys.executable] if name.endswith(".py") else ["bash", "-x"]
    done = subprocess.run(
        [*program, FOLDER / name, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        timeout=1800 if large else 300, env={**os.environ, **sizes, "TMPDIR": str(tmp_path), "PS4": "+ $LINENO: "})
    last = "\n".join(done.stdout.splitlines()[-30:])
    if done.returncode == NOT_INSTALLED:
        pytest.skip(last)
    assert done.returncode == 0, f"{script} ends with {done.returncode}:\n{last}"
