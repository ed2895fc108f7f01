"""Runs martlet-load and s3cmd against servers, in turn, and keeps the figures."""
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time


class Meter:
    def __init__(self, load, seconds, pairs):
        self.load, self.seconds, self.pairs = load, seconds, pairs
        self.runs = 0

    def table(self, rows, servers):
        """For each row and server the figures of all its rounds: {(row, server's name): [report, …]}."""
        figures = {}
        for row in rows:
            able = [server for server in servers if row.operation in server.supports]
            prefixes = {server.name: self.prepared(row, server) for server in able if row.reads}
            for turn in range(self.pairs):
                for server in able:
                    report = self.run(row, server, prefixes.get(server.name))
                    figures.setdefault((row, server.name), []).append(report)
            shown = ", ".join(f"{s.name}: {median(figures[row, s.name], 'cpu'):.3f} ms" for s in able)
            print(f"{row.title}, {row.concurrency} at a time: {shown}", file=sys.stderr, flush=True)
        return figures

    def prepared(self, row, server):
        """Puts what the row reads; returns the prefix of its keys."""
        prefix = self.new_prefix(row)
        arguments = ["--mix", "put", "--size", row.size, "--keys", str(row.keys), "--count", str(row.keys), "--concurrency", "8"]
        self.invoke(server, [*arguments, "--prefix", prefix])
        return prefix

    def run(self, row, server, prefix):
        if row.operation == "delete":
            prefix = self.prepared(row, server)
        report = self.invoke(server, [*row.arguments(self.seconds), "--prefix", prefix or self.new_prefix(row)])
        latency = report["total"]["latency_seconds"]
        return {"cpu": report["cpu_milliseconds_per_request"], "rate": report["requests_per_second"],
                "bytes": report["total"]["bytes_per_second"], "p50": latency["p50"] * 1e3, "p99": latency["p99"] * 1e3}

    def new_prefix(self, row):
        self.runs += 1
        return f"{row.operation}-{self.runs}/"

    def invoke(self, server, arguments):
        command = [self.load, "run", "--json", "--endpoint", server.endpoint, "--pids", ",".join(map(str, server.pids())), *arguments]
        if not server.checks:
            command.append("--no-check")
        done = subprocess.run(list(map(str, command)), env=server.environment, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            sys.exit(f"{server.name}: {' '.join(arguments)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return json.loads(done.stdout)

    def memory(self, server):
        """Bytes that all processes have at most while 16 objects of 16 MiB are put and read at once."""
        peak = 0
        done = threading.Event()

        def watch():
            nonlocal peak
            while not done.wait(0.05):
                peak = max(peak, server.rss())

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            for operation in ("put", "get"):
                self.invoke(server, ["--mix", operation, "--size", "16MiB", "--keys", "16", "--count", "48", "--concurrency", "16",
                                     "--distribution", "sequential", "--prefix", "memory/"])
        finally:
            done.set()
            watcher.join()
        return peak

    def s3cmd(self, server, size=1_000_000_000):
        """Seconds and the servers' CPU seconds of `s3cmd put` of one file."""
        host = server.endpoint.removeprefix("http://")
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "file")
            with open(file, "wb") as out:
                block = os.urandom(1_000_000)
                for _ in range(size // len(block)):
                    out.write(block)
            command = ["s3cmd", "--config", "/dev/null", "--no-ssl", f"--host={host}", f"--host-bucket={host}", "--no-progress",
                       f"--access_key={server.environment['AWS_ACCESS_KEY_ID']}",
                       f"--secret_key={server.environment['AWS_SECRET_ACCESS_KEY']}", "put", str(file), "s3://load/s3cmd-file"]
            cpu, begun = server.cpu_seconds(), time.monotonic()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=600)
            return {"seconds": time.monotonic() - begun, "cpu": server.cpu_seconds() - cpu,
                    "client": resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime}


def median(reports, name):
    return statistics.median(report[name] for report in reports)
