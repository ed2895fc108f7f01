"""What clients did and were told, in the form that `martlet-load verify` checks, and a check of listings.

An operation of unknown outcome (a lost connection, a timeout, a 5xx) may have happened, or may happen later still.
"""
import dataclasses
import json
import math
import threading


@dataclasses.dataclass
class Operation:
    """On one key. `value` is the id of the content that was written or seen; None: there was none."""
    client: int
    key: str
    kind: str  # put, get, delete, conditionalPut
    call: float
    value: str | None = None
    condition: str | None = None  # absent, holds
    expected: str | None = None
    returned: float | None = None
    outcome: str = "unknown"  # ok, refused, failed, unknown
    gateway: str = ""
    request: str = ""
    status: int = 0
    error: str = ""

    def line(self):
        fields = {"client": self.client, "key": self.key, "kind": self.kind, "call": nanoseconds(self.call), "outcome": self.outcome}
        optional = {"value": self.value, "condition": self.condition, "expected": self.expected,
                    "return": None if self.returned is None else nanoseconds(self.returned)}
        return json.dumps(fields | {name: value for name, value in optional.items() if value is not None})

    @property
    def end(self):
        """When it has happened at the latest."""
        return math.inf if self.outcome == "unknown" else self.returned

    @property
    def writes(self):
        """Whether the key may have become what this says."""
        return self.kind != "get" and self.outcome in ("ok", "unknown")


@dataclasses.dataclass
class Listing:
    gateway: str
    call: float
    returned: float
    entries: dict  # key -> (ETag, size)


def nanoseconds(seconds):
    return round(seconds * 1e9)


class History:
    """Of all clients of a run. `contents`: value id -> (ETag, size), for everything that was ever sent."""

    def __init__(self):
        self.operations, self.listings, self.contents, self.wrong = [], [], {}, []
        self.lock = threading.Lock()

    def add(self, operation):
        with self.lock:
            self.operations.append(operation)

    def add_listing(self, listing):
        with self.lock:
            self.listings.append(listing)

    def note_content(self, value, etag, size):
        with self.lock:
            self.contents[value] = (etag, size)

    def note_wrong(self, text):
        """What no fault excuses: bytes that nobody wrote, an answer that the protocol does not have."""
        with self.lock:
            self.wrong.append(text)

    def write(self, path):
        path.write_text("".join(operation.line() + "\n" for operation in self.operations))

    # Listings are not a register, but each of their entries must be as fresh as a read of its key.

    def stale_entries(self):
        by_key = {}
        for operation in self.operations:
            if operation.writes:
                by_key.setdefault(operation.key, []).append(operation)
        faults = []
        for listing in self.listings:
            for key, writes in by_key.items():
                seen = listing.entries.get(key)
                if seen not in {self.shown(value) for value in plausible(writes, listing.call, listing.returned)}:
                    faults.append(f"{listing.gateway} listed {key} as {seen} at {listing.call:.3f} to {listing.returned:.3f}")
        return faults

    def shown(self, value):
        return None if value is None else self.contents[value]


def plausible(writes, call, returned):
    """The values that a reader from `call` to `returned` may see: no write that certainly came between has replaced them."""
    finished = [w for w in writes if w.outcome == "ok" and w.returned < call]
    values = set() if finished else {None}
    for write in writes:
        if write.call <= returned and not any(later.call > write.end for later in finished):
            values.add(None if write.kind == "delete" else write.value)
    return values
