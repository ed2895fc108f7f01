"""What both measurements need: a cluster of the tests, more nodes of it, and a disk that is lost."""
import contextlib
import pathlib
import shutil
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests" / "Cluster"))
import conftest  # noqa: E402

# Every look is a process that takes some of the same two cores.
PAUSE = 2


def wait_until(what, condition, seconds):
    return conftest.wait_until(what, condition, seconds, PAUSE)


@contextlib.contextmanager
def cluster(options, *settings):
    """Ends with everything in it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="martlet-life-", dir=options.directory))
    try:
        yield conftest.Cluster(folder, *(word for setting in [*settings, *options.set] for word in ("--set", setting)))
    finally:
        conftest.stop_cluster(folder)
        shutil.rmtree(folder, ignore_errors=True)


def lose_disk(made, node):
    """The only disk of a node is lost, and an empty one is put into its place."""
    disk = made.folder / "data" / node / "disk-1"
    made.kill(node)
    shutil.rmtree(disk)
    (made.folder / "run" / f"{node}.hold").unlink()
    wait_until("the lost disk to be noticed", lambda: state(made, node).get("state") == "failed", 30)
    disk.mkdir()
    made.adm("disk", "replace", node, str(disk))


def state(made, node):
    """Of its only disk; empty while it does not answer."""
    try:
        return made.adm("disk", "list", node)["disks"][0]
    except AssertionError:
        return {}


def is_whole(made, node):
    return state(made, node).get("doubtful_slots") == 0
