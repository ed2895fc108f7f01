"""Fills one bucket in batches of one folder each, and remembers how far it is: what is loaded is not loaded again."""
import json
import pathlib
import subprocess
import time

BUCKET = "scale"
BATCH = 10_000


class State:
    """scale.json in the folder of the run: batches that are loaded, and what was measured at each number of objects."""

    def __init__(self, folder):
        self.path = pathlib.Path(folder) / "scale.json"
        known = json.loads(self.path.read_text()) if self.path.exists() else {}
        self.batches, self.seconds, self.cpu = known.get("batches", 0), known.get("seconds", 0.0), known.get("cpu", 0.0)
        self.checkpoints = {int(objects): figures for objects, figures in known.get("checkpoints", {}).items()}
        self.others = known.get("others", {})

    @property
    def objects(self):
        return self.batches * BATCH

    def save(self):
        self.path.write_text(json.dumps(
            {"batches": self.batches, "seconds": self.seconds, "cpu": self.cpu, "checkpoints": self.checkpoints, "others": self.others}, indent=1) + "\n")


def checkpoints(objects):
    """10,000, 100,000, … and the last."""
    steps = [10 ** power for power in range(4, 12) if 10 ** power < objects]
    return [*steps, objects]


def fill(made, state, objects, size, load, end, say):
    """Loads up to so many objects. False: the time was over before."""
    told = time.monotonic()
    while state.objects < objects:
        if time.monotonic() > end:
            return False
        begun, cpu = time.monotonic(), cpu_seconds(made)
        command = [load, "run", "--mix", "put", "--size", size, "--bucket", BUCKET, "--prefix", f"d-{state.batches:05}/", "--keys", BATCH,
                   "--count", BATCH, "--concurrency", 32, "--unsigned-payload", "--no-progress", "--retries", 5]
        done = subprocess.run(list(map(str, command)), env=environment(made), capture_output=True, text=True, timeout=1800)
        if done.returncode != 0:
            raise SystemExit(f"loading failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        state.batches += 1
        state.seconds += time.monotonic() - begun
        state.cpu += cpu_seconds(made) - cpu
        state.save()
        if time.monotonic() - told > 20 or state.objects >= objects:
            told = time.monotonic()
            say(f"{state.objects:,} of {objects:,} objects, {BATCH / (time.monotonic() - begun):,.0f}/s")
    return True


def environment(made):
    import os
    return os.environ | made.env


def cpu_seconds(made):
    """Of all processes of the cluster that live."""
    import os
    total = 0
    for file in (made.folder / "run").glob("*.pid"):
        if file.stem == "supervisor":
            continue
        try:
            fields = pathlib.Path(f"/proc/{int(file.read_text())}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ValueError, ProcessLookupError):
            continue
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")
