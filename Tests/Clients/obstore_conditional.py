#!/usr/bin/env python3
"""obstore (object_store of Apache Arrow): conditional puts as Delta Lake and others commit with them, ranges, streams, lists."""
import concurrent.futures

from session import ACCESS, BUCKET, ENDPOINT, FILES, REGION, SECRET, absent, large, refused

try:
    import boto3
    import obstore
except ImportError:
    absent("obstore")
from obstore.exceptions import AlreadyExistsError, NotFoundError, PreconditionError
from obstore.store import S3Store

s3 = boto3.client("s3", endpoint_url=ENDPOINT, region_name=REGION)
s3.create_bucket(Bucket=BUCKET)
store = S3Store(
    BUCKET, endpoint=ENDPOINT, access_key_id=ACCESS, secret_access_key=SECRET, region=REGION, virtual_hosted_style_request=False,
    client_options={"allow_http": True})


def bytes_of(key):
    return bytes(obstore.get(store, key).bytes())


# Create once, change only what was read.
first = obstore.put(store, "log/0", b"first", mode="create")
refused(AlreadyExistsError, obstore.put, store, "log/0", b"second", mode="create")
obstore.put(store, "log/0", b"third", mode={"e_tag": first["e_tag"]})
refused(PreconditionError, obstore.put, store, "log/0", b"late", mode={"e_tag": first["e_tag"]})
assert bytes_of("log/0") == b"third"


def commit(writer):
    """Appends a record under the next free number, as a table's log does."""
    number = 1
    while True:
        try:
            obstore.put(store, f"log/{number}", f"writer {writer}".encode(), mode="create")
            return number
        except AlreadyExistsError:
            number += 1


with concurrent.futures.ThreadPoolExecutor(8) as pool:
    numbers = list(pool.map(commit, range(40)))
assert sorted(numbers) == list(range(1, 41)), "two writers had one number, or one was left out"
assert sorted(bytes_of(f"log/{number}") for number in numbers) == sorted(f"writer {n}".encode() for n in range(40))

# Large objects in parts, by ranges.
data = large()
obstore.put(store, "large", data, chunk_size=5 << 20)
assert bytes_of("large") == data
assert bytes(obstore.get_range(store, "large", start=1_000_003, end=1_000_080)) == data[1_000_003:1_000_080]
ranges = obstore.get_ranges(store, "large", starts=[0, 9_000_000], ends=[100, 9_000_100])
assert [bytes(part) for part in ranges] == [data[:100], data[9_000_000:9_000_100]]
assert b"".join(bytes(chunk) for chunk in obstore.get(store, "large").stream()) == data
obstore.copy(store, "large", "copy")
obstore.rename(store, "copy", "Ordner/Datei äöü+&=%.txt")
assert bytes_of("Ordner/Datei äöü+&=%.txt") == data
refused((NotFoundError, FileNotFoundError), obstore.head, store, "copy")
writer = obstore.open_writer(store, "written", buffer_size=5 << 20)
with writer:
    for start in range(0, len(data), 3_000_000):
        writer.write(data[start:start + 3_000_000])
assert bytes_of("written") == data

# Lists and many deletes.
for number in range(FILES):
    obstore.put(store, f"many/{number % 7}/{number:05}", b"x" * number)
listed = [meta["path"] for batch in obstore.list(store, "many", chunk_size=50) for meta in batch]
assert listed == sorted(listed) and len(listed) == FILES
assert list(obstore.list_with_delimiter(store, "many")["common_prefixes"]) == [f"many/{number}" for number in range(7)]
everything = [meta["path"] for batch in obstore.list(store) for meta in batch]
obstore.delete(store, everything)
assert list(obstore.list(store)) == []
s3.delete_bucket(Bucket=BUCKET)
