"""Runs martlet-load and s3cmd against servers, in turn, and keeps the figures."""
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from . import rows as all_rows


class Failed(Exception):
    """A measurement that did not come to its end; the others go on."""

    @classmethod
    def ending(cls, done):
        """How martlet-load or another program ended: what its report tells, or else what it said last."""
        with contextlib.suppress(ValueError, KeyError, TypeError):
            report = json.loads(done.stdout)
            count = report["errors"]
            return cls(f"{count} {'error' if count == 1 else 'errors'} in {report['requests'] + count:,} requests")
        return cls(f"exit {done.returncode} {done.stdout[-300:]} {done.stderr[-300:]}")


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class Meter:
    """
    figures   {(row, server's name): [report of each round, …]}
    extremes  {(name, server's name): [report of each round, …]}
    failures  {(row or name, server's name): [why, of each attempt that failed]}
    missing   rounds of a row and server in which every attempt failed

    A report has the number of its round: a round that failed has none.
    """

    HASHER = "martlet-benchmark"
    ATTEMPTS = 3
    """At a measurement of a round. rclone answers one request in some thousands with an error."""

    def __init__(self, load, seconds, pairs):
        self.load, self.seconds, self.pairs = load, seconds, pairs
        self.runs = 0
        self.figures, self.extremes, self.failures = {}, {}, {}
        self.missing = 0
        self.folder = tempfile.TemporaryDirectory(prefix="martlet-upload-")

    # MARK: Rounds

    def table(self, rows, servers, end):
        """Rounds over all rows, in each the servers in turn; the first round is whole, further ones begin before `end` only."""
        prefixes = {}
        for turn in range(self.pairs):
            if turn and time.monotonic() > end:
                say(f"the time is over: {turn} rounds instead of {self.pairs}")
                return
            for row in rows:
                able = [server for server in servers if row.operation in server.supports]
                for server in able:
                    self.attempt(turn, row, server.name, lambda: self.run(row, server, prefixes), self.figures)
                shown = ", ".join(f"{s.name}: {self.figures[row, s.name][-1]['cpu']:.3f}" for s in able if (row, s.name) in self.figures)
                say(f"round {turn + 1} of {self.pairs}, {row.name}: CPU ms per request {shown}")
            if any(row.mebibytes for row in rows):
                self.attempt(turn, all_rows.HASHING, self.HASHER, self.hashing, self.extremes)
                say(f"round {turn + 1}, {all_rows.HASHING}: {self.extremes.get((all_rows.HASHING, self.HASHER), ['failed'])[-1]}")

    def others(self, names, servers, end):
        """What is measured besides the rows, in turn too."""
        for turn in range(min(self.pairs, 3)):
            if turn and time.monotonic() > end:
                return
            for name in names:
                measure = self.memory if name == all_rows.MEMORY else self.s3cmd
                able = [s for s in servers if name == all_rows.MEMORY or "s3cmd" in s.supports]
                for server in able:
                    self.attempt(turn, name, server.name, lambda: measure(server), self.extremes)
                shown = ", ".join(f"{s.name}: {self.extremes[name, s.name][-1]}" for s in able if (name, s.name) in self.extremes)
                say(f"round {turn + 1}, {name}: {shown}")

    def attempt(self, turn, row, name, measure, figures):
        """What fails is told and tried again; what fails again and again is left out, and costs its round only."""
        for _ in range(self.ATTEMPTS):
            # Nobody's unwritten pages are another one's burden.
            os.sync()
            try:
                report = {"round": turn + 1, **measure()}
            except (Failed, subprocess.SubprocessError, OSError) as failure:
                self.failures.setdefault((row, name), []).append(str(failure))
                say(f"FAILED: {getattr(row, 'name', row)}, {name}: {failure}")
            else:
                return figures.setdefault((row, name), []).append(report)
        self.missing += 1

    def run(self, row, server, prefixes):
        if row.operation == "delete":
            prefix = self.prepared(row, server)
        elif row.reads:
            place = (row.operation == "list", row.size, row.keys, server.name)
            if place not in prefixes:
                prefixes[place] = self.prepared(row, server)
            prefix = prefixes[place]
            self.warm(row, server, prefix)
        else:
            prefix = self.new_prefix(row)
        report = self.invoke(server, [*row.arguments(self.seconds), "--prefix", prefix])
        latency = report["total"]["latency_seconds"]
        return {"cpu": report["cpu_milliseconds_per_request"], "rate": report["requests_per_second"],
                "bytes": report["total"]["bytes_per_second"], "p50": latency["p50"] * 1e3, "p99": latency["p99"] * 1e3}

    def prepared(self, row, server):
        """Puts what the row reads; returns the prefix of its keys."""
        prefix = self.new_prefix(row)
        self.invoke(server, ["--mix", "put", "--size", row.size, "--keys", row.keys, "--count", row.keys, "--concurrency", 8,
                             "--prefix", prefix])
        return prefix

    def warm(self, row, server, prefix):
        """
        Reads every key once, so that what is measured is the same for all: reading what the system has in memory.

        Some systems take memory away from files that nobody has read for a few seconds, and a server whose turn comes after
        a minute would begin with its disk.
        """
        if row.operation == "get":
            self.invoke(server, ["--mix", "get", "--size", row.size, "--keys", row.keys, "--count", row.keys, "--distribution", "sequential",
                                 "--prefix", prefix])

    def new_prefix(self, row):
        self.runs += 1
        return f"{row.operation}-{self.runs}/"

    def invoke(self, server, arguments):
        command = [self.load, "run", "--json", "--endpoint", server.endpoint, "--pids", ",".join(map(str, server.pids())), *arguments]
        if not server.checks:
            command.append("--no-check")
        done = subprocess.run(list(map(str, command)), env=server.environment, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise Failed.ending(done)
        return json.loads(done.stdout)

    # MARK: Memory, uploads and hashing

    def hashing(self):
        """Milliseconds of CPU for a MiB, that nobody is spared who checks what is got and put."""
        program = pathlib.Path(self.load).with_name(self.HASHER)
        done = subprocess.run([program, "hashing", "--json", "--directory", self.folder.name], capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise Failed.ending(done)
        return json.loads(done.stdout)

    def memory(self, server):
        """Bytes that all processes have at most while 16 objects of 16 MiB are put and read at once."""
        peak = server.memory()
        done = threading.Event()

        def watch():
            nonlocal peak
            while not done.wait(0.02):
                peak = max(peak, server.memory())

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            for operation in ("put", "get"):
                self.invoke(server, ["--mix", operation, "--size", "16MiB", "--keys", 16, "--count", 48, "--concurrency", 16,
                                     "--distribution", "sequential", "--prefix", "memory/"])
        finally:
            done.set()
            watcher.join()
        return {"bytes": peak}

    def file(self, size=1_000_000_000):
        """What s3cmd puts."""
        path = pathlib.Path(self.folder.name, "file")
        if not path.exists():
            with open(path, "wb") as out:
                block = os.urandom(1_000_000)
                for _ in range(size // len(block)):
                    out.write(block)
            os.sync()
        return path

    def s3cmd(self, server):
        """Seconds and the servers' CPU seconds of `s3cmd put` of one file."""
        host = server.endpoint.removeprefix("http://")
        path = self.file()
        # The bucket is there when something was put by martlet-load; else this makes it.
        self.invoke(server, ["--mix", "put", "--size", "1", "--keys", 1, "--count", 1])
        command = ["s3cmd", "--config", "/dev/null", "--no-ssl", f"--host={host}", f"--host-bucket={host}", "--no-progress",
                   f"--access_key={server.environment['AWS_ACCESS_KEY_ID']}",
                   f"--secret_key={server.environment['AWS_SECRET_ACCESS_KEY']}", "put", path, "s3://load/s3cmd-file"]
        cpu, begun = server.cpu_seconds(), time.monotonic()
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise Failed.ending(done)
        return {"seconds": round(time.monotonic() - begun, 2), "cpu": round(server.cpu_seconds() - cpu, 2)}


def median(reports, name):
    return statistics.median(report[name] for report in reports)


def matched(*reports):
    """Of the rounds that all have, their reports: those of a round were measured in the same minute."""
    by_round = [{report["round"]: report for report in each or []} for each in reports]
    return [tuple(each[turn] for each in by_round) for turn in sorted(set.intersection(*map(set, by_round)))]
