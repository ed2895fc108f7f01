"""Samples of running processes by perf, as stacks with readable names."""
import collections
import re
import shutil
import subprocess

FREQUENCY = 997
HEAD = re.compile(r"^(\S.*?)\s+(\d+)/(\d+)\s*")
MODULE = re.compile(r"^_?\$[sS](?:S[A-Za-z]|s)*?(\d+)(\w+)")
FRAME = re.compile(r"^\s+[0-9a-f]+ (.*) \(([^()]*(?:\([^()]*\))?[^()]*)\)$")


class Missing(Exception):
    """What is needed is not installed, or not permitted."""


def check():
    if not shutil.which("perf"):
        raise Missing("PERF IS NOT INSTALLED: no flame graph can be made (Debian: apt-get install linux-perf)")
    if not shutil.which("swift"):
        raise Missing("swift is not there: `swift demangle` makes names readable")
    done = subprocess.run(["perf", "record", "-e", "cpu-clock", "-g", "-o", "/dev/null", "--", "true"], capture_output=True, text=True)
    if done.returncode != 0:
        raise Missing(f"PERF MAY NOT RECORD HERE: {done.stderr.strip()[-300:]}\n(run as root, or set kernel.perf_event_paranoid to 1)")


def record(pids, seconds, file):
    """Samples the processes while they are under load."""
    command = ["perf", "record", "-e", "cpu-clock", "-F", str(FREQUENCY), "-g", "-p", ",".join(map(str, pids)), "-o", str(file), "--", "sleep", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    if done.returncode != 0:
        raise Missing(f"perf record failed: {done.stderr.strip()[-500:]}")


def stacks(file):
    """{(pid, thread's name, frames): number of samples}; frames are (symbol, library or module with a dot, is in the kernel), the innermost first."""
    done = subprocess.run(["perf", "script", "-i", str(file), "-F", "comm,pid,tid,ip,sym,dso"], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise Missing(f"perf script failed: {done.stderr.strip()[-500:]}")
    found, head, frames = collections.Counter(), None, []
    for line in [*done.stdout.splitlines(), ""]:
        if not line.strip():
            if head and frames:
                found[(*head, tuple(frames))] += 1
            head, frames = None, []
        elif match := FRAME.match(line):
            library = match[2].rpartition("/")[2]
            frames.append((match[1], library, library.startswith("[kernel") or library.endswith(".ko") or "[guest.kernel" in library))
        elif match := HEAD.match(line):
            head = (int(match[2]), match[1])
    return demangled(found)


def demangled(found):
    """The same with names as Swift's sources have them."""
    mangled = sorted({symbol for _, _, frames in found for symbol, _, _ in frames if symbol.startswith(("$s", "$S", "_$s"))})
    done = subprocess.run(["swift", "demangle", "--simplified", "--compact"], input="\n".join(mangled), capture_output=True, text=True, timeout=300)
    lines = done.stdout.splitlines()
    names = dict(zip(mangled, lines)) if len(lines) == len(mangled) else {}
    readable = collections.Counter()
    for (pid, thread, frames), count in found.items():
        readable[pid, thread, tuple((names.get(symbol, symbol), module(symbol) or library, kernel) for symbol, library, kernel in frames)] += count
    return readable


def module(symbol):
    """Of a mangled name, with a dot: simplified names lack it. None: there is none, or it is of the standard library."""
    match = MODULE.match(symbol)
    return match[2][:int(match[1])] + "." if match and int(match[1]) <= len(match[2]) else None
