"""Faults injected into a running process by strace."""
import re
import shutil
import subprocess
import time


def unavailable():
    """Why nothing can be injected here; None when it can."""
    if not shutil.which("strace"):
        return "strace IS NOT INSTALLED"
    tried = subprocess.run(["strace", "-e", "inject=fdatasync:error=EIO", "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        return f"ptrace IS NOT PERMITTED: {tried.stderr.strip().splitlines()[-1:]}"
    return None


class Injection:
    """Attached to a process and all its threads. Each thread counts its own calls. `paths`: only calls on these files."""

    def __init__(self, pid, what, output, call="fdatasync", paths=()):
        self.output = output
        self.tracer = subprocess.Popen(
            ["strace", "-f", "-ttt", *(word for path in paths for word in ("-P", str(path))), "-e", f"trace={call}",
             "-e", f"inject={call}:{what}", "-o", str(output), "-p", str(pid)],
            stderr=subprocess.PIPE, text=True)
        # It says so when it has attached.
        line = self.tracer.stderr.readline()
        assert "attached" in line, line
        time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tracer.terminate()
        self.tracer.communicate()

    @property
    def times(self):
        """When calls were failed, by the wall clock."""
        found = re.findall(r"^\d+\s+(\d+\.\d+) .*\(INJECTED\)", self.output.read_text(), re.M)
        return [float(time) for time in found]
