"""What is measured: one row of the table each, as arguments for martlet-load."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    title: str
    operation: str
    size: str = "4KiB"
    concurrency: int = 16
    keys: int = 1_000_000
    """How many keys there are; those of reads are put before."""
    count: int | None = None
    """Ends after so many operations; None: after the seconds of the run."""
    mark: dict = dataclasses.field(default_factory=dict, compare=False)
    """The CPU milliseconds a request that the design asks for, by number of copies."""

    @property
    def reads(self):
        return self.operation in ("get", "head", "list")

    def arguments(self, seconds):
        bound = ["--count", str(self.count)] if self.count else ["--duration", f"{seconds}s"]
        distribution = "uniform" if self.reads else "sequential"
        return ["--mix", self.operation, "--size", self.size, "--concurrency", str(self.concurrency), "--keys", str(self.keys),
                "--distribution", distribution, *bound]


def both(title, operation, size, keys=1_000_000, count=None, mark=None):
    """The row at concurrency 16, to which the marks belong, and at 1."""
    return [Row(title, operation, size, 16, keys, count, mark or {}), Row(title, operation, size, 1, keys, count and count // 4)]


ROWS = [
    *both("PUT 4 KiB", "put", "4KiB", mark={1: 0.12, 3: 0.30}),
    *both("GET 4 KiB", "get", "4KiB", keys=2000, mark={1: 0.06, 3: 0.08}),
    *both("HEAD", "head", "4KiB", keys=2000, mark={1: 0.04, 3: 0.06}),
    *both("DELETE", "delete", "4KiB", keys=8000, count=8000, mark={1: 0.10, 3: 0.25}),
    *both("LIST 1,000 keys", "list", "4KiB", keys=5000, mark={1: 3, 3: 3}),
    *both("PUT 64 KiB", "put", "64KiB"),
    *both("GET 64 KiB", "get", "64KiB", keys=500),
    *both("PUT 1 MiB, signed payload", "put", "1MiB", mark={1: 2.8, 3: 4.5}),
    *both("GET 1 MiB", "get", "1MiB", keys=100, mark={1: 0.7, 3: 0.7}),
    *both("PUT 16 MiB, signed payload", "put", "16MiB", keys=48),
    *both("GET 16 MiB", "get", "16MiB", keys=16),
]
