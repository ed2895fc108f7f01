"""What is measured: one row of the table each, as arguments for martlet-load."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    title: str
    operation: str
    group: str
    """Rows of a group share servers with fresh folders, so that no disk fills up."""
    size: str = "4KiB"
    concurrency: int = 16
    keys: int = 1000
    """How many keys there are; those of reads are put before."""
    count: int = 1000
    """Operations of a measurement, unless its time is over before."""
    mark: dict = dataclasses.field(default_factory=dict, compare=False)
    """The CPU milliseconds a request that the design asks for, by number of copies."""

    @property
    def reads(self):
        return self.operation in ("get", "head", "list")

    @property
    def mebibytes(self):
        """Of an object so large that its bytes are what it costs; 0 for others."""
        return int(self.size.removesuffix("MiB")) if self.group == "huge" else 0

    @property
    def name(self):
        """As it is shown and asked for."""
        return f"{self.title}, {self.concurrency} at a time"

    def scaled(self, share):
        """The same row with fewer keys and operations."""
        return dataclasses.replace(self, count=max(self.concurrency, int(self.count * share)), keys=max(16, int(self.keys * share)))

    def arguments(self, seconds):
        distribution = "uniform" if self.reads else "sequential"
        return ["--mix", self.operation, "--size", self.size, "--concurrency", self.concurrency, "--keys", self.keys,
                "--distribution", distribution, "--count", self.count, "--duration", f"{seconds}s", "--sign-ahead", self.count]


def both(title, operation, group, size, keys, count, mark=None):
    """The row at concurrency 16, to which the marks belong, and at 1."""
    return [Row(title, operation, group, size, 16, keys, count, mark or {}), Row(title, operation, group, size, 1, keys, max(8, count // 5))]


ROWS = [
    *both("PUT 4 KiB", "put", "small", "4KiB", 1_000_000, 20_000, {1: 0.12, 3: 0.30}),
    *both("GET 4 KiB", "get", "small", "4KiB", 2000, 40_000, {1: 0.06, 3: 0.08}),
    *both("HEAD", "head", "small", "4KiB", 2000, 40_000, {1: 0.04, 3: 0.06}),
    *both("DELETE", "delete", "small", "4KiB", 6000, 6000, {1: 0.10, 3: 0.25}),
    *both("LIST 1,000 keys", "list", "small", "4KiB", 5000, 1000, {1: 3, 3: 3}),
    *both("PUT 64 KiB", "put", "medium", "64KiB", 1_000_000, 4000),
    *both("GET 64 KiB", "get", "medium", "64KiB", 500, 10_000),
    *both("PUT 1 MiB, signed payload", "put", "large", "1MiB", 1_000_000, 400, {1: 2.8, 3: 4.5}),
    *both("GET 1 MiB", "get", "large", "1MiB", 100, 2000, {1: 0.7, 3: 0.7}),
    *both("PUT 16 MiB, signed payload", "put", "huge", "16MiB", 48, 48),
    *both("GET 16 MiB", "get", "huge", "16MiB", 16, 160),
]

# Measured in another way; named here so that they can be asked for.
MEMORY = "memory, 16 × 16 MiB at once"
UPLOAD = "s3cmd 1 GB"
# What the rows with large objects are held against.
HASHING = "hashing a MiB"
GROUPS = ["small", "medium", "large", "huge"]


def chosen(words):
    """The rows, and the names of the other measurements, in whose names one of the words is; all without words."""
    def wanted(name):
        return not words or any(word.lower() in name.lower() for word in words)

    return [row for row in ROWS if wanted(row.name)], [name for name in (MEMORY, UPLOAD) if wanted(name)]
