"""One run: a load, the faults of a scenario, and the judgement."""
import contextlib
import pathlib
import random
import shutil
import tempfile

import hosts
import injector as faults
import judge
from clients import BUCKET, Load
from history import History


ENABLED = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
# So that tombstones are dropped in the middle of everything else, many times in a run.
PURGES = ["repair.tombstone_interval=1s", "repair.tombstone_grace=100ms"]


def cluster_of(scenario, **options):
    """The cluster that a scenario is about."""
    settings = [*options.pop("settings", []), *(PURGES if scenario.purges else [])]
    return cluster(scenario.versioned, nodes=scenario.nodes, spares=scenario.spares, managers=scenario.managers, settings=settings,
                   **options)


@contextlib.contextmanager
def cluster(versioned=False, **options):
    """Ends with everything in it."""
    folder, made = pathlib.Path(tempfile.mkdtemp(prefix="martlet-faults-")), None
    try:
        made = hosts.Hosts(folder / "cluster", **options)
        created = judge.request(made, made.gateways[0], "PUT", "")
        assert created.status == 200, created.body
        if versioned:
            enabled = judge.request(made, made.gateways[0], "PUT", "", {"versioning": ""}, ENABLED)
            assert enabled.status == 200, enabled.body
        yield made
    except BaseException as error:
        if made:
            error.add_note(made.last_log_lines())
        raise
    finally:
        if made:
            made.close()
        shutil.rmtree(folder, ignore_errors=True)


def play(made, scenario, prefix=None):
    """Plays a scenario on a cluster that is whole. Returns the verdict, the history and what was done to the cluster."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="martlet-run-"))
    history = History()
    load = Load(made, history, scenario.seed, prefix or f"run-{scenario.seed}", versioned=scenario.versioned)
    try:
        with faults.Injector(made, folder, random.Random(scenario.seed)) as injector:
            with load:
                injector.play(scenario.faults, scenario.seconds)
                injector.heal_all()
            verdict = judge.judge(made, load, history, injector, folder)
        return verdict, history, injector
    finally:
        shutil.rmtree(folder, ignore_errors=True)
