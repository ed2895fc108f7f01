"""What the Python scripts of this folder have in common; `compose/up && . martlet-data/env` names the cluster."""
import os
import pathlib
import sys
import urllib.parse
import uuid

ENDPOINT = os.environ["MARTLET_S3_ENDPOINT"]
HOST = urllib.parse.urlsplit(ENDPOINT).netloc
ACCESS, SECRET = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
REGION = "us-east-1"
LARGE_MB = int(os.environ.get("MARTLET_CLIENT_LARGE_MB", "20"))
FILES = int(os.environ.get("MARTLET_CLIENT_FILES", "100"))
BUCKET = f"{pathlib.Path(sys.argv[0]).stem.replace('_', '-')}-{uuid.uuid4().hex[:12]}"


def absent(name):
    """Ends the script: nothing was tested."""
    print(f"{name} IS NOT INSTALLED: nothing was tested with it")
    sys.exit(77)


def large():
    """Bytes of a large object, others in every run."""
    return os.urandom(LARGE_MB * 1_000_000)


def refused(kind, action, *arguments, **options):
    """The action must raise this kind of error; returns it."""
    try:
        action(*arguments, **options)
    except kind as error:
        return error
    raise AssertionError(f"not refused: {action}")
