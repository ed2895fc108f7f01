import pytest

from conftest import refused

KEYS = ["a", "b/1", "b/2", "b/c/3", "d", "e//f", "ü", "z+ z", "\x02"]


@pytest.fixture(scope="module")
def filled():
    import uuid
    from conftest import empty_bucket, make_client
    client, name = make_client(), f"list-{uuid.uuid4().hex[:16]}"
    client.create_bucket(Bucket=name)
    for key in KEYS:
        client.put_object(Bucket=name, Key=key, Body=key.encode())
    yield name
    empty_bucket(client, name)
    client.delete_bucket(Bucket=name)


def entries(page):
    return ([entry["Key"] for entry in page.get("Contents", [])],
            [entry["Prefix"] for entry in page.get("CommonPrefixes", [])])


@pytest.mark.parametrize("prefix, delimiter, keys, prefixes", [
    ("", "", sorted(KEYS, key=str.encode), []), ("", "/", ["\x02", "a", "d", "z+ z", "ü"], ["b/", "e/"]),
    ("b/", "/", ["b/1", "b/2"], ["b/c/"]), ("e", "//", [], ["e//"]), ("x", "/", [], []),
    ("", "c/", ["\x02", "a", "b/1", "b/2", "d", "e//f", "z+ z", "ü"], ["b/c/"]),
])
def test_prefix_and_delimiter(s3, filled, prefix, delimiter, keys, prefixes):
    for method in (s3.list_objects, s3.list_objects_v2):
        assert entries(method(Bucket=filled, Prefix=prefix, Delimiter=delimiter)) == (keys, prefixes)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2", "list_object_versions"])
def test_pages(s3, filled, size, operation):
    seen = []
    pages = s3.get_paginator(operation).paginate(Bucket=filled, Delimiter="/", PaginationConfig={"PageSize": size})
    for page in pages:
        listed = page.get("Contents", []) + page.get("Versions", [])
        names = [entry["Key"] for entry in listed] + [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]
        assert len(names) <= size
        seen += names
    assert sorted(seen) == sorted(["\x02", "a", "d", "z+ z", "ü", "b/", "e/"])


def test_what_a_list_shows(s3, filled):
    entry = s3.list_objects_v2(Bucket=filled, Prefix="b/1", FetchOwner=True)["Contents"][0]
    head = s3.head_object(Bucket=filled, Key="b/1")
    assert (entry["ETag"], entry["Size"], entry["LastModified"]) == (
        head["ETag"], head["ContentLength"], head["LastModified"])
    assert entry["StorageClass"] == "STANDARD"
    assert entry["Owner"]["ID"]
    assert "Owner" not in s3.list_objects_v2(Bucket=filled, Prefix="b/1")["Contents"][0]


def test_beginnings(s3, filled):
    assert entries(s3.list_objects_v2(Bucket=filled, StartAfter="b/2"))[0][:2] == ["b/c/3", "d"]
    assert entries(s3.list_objects(Bucket=filled, Marker="b/2"))[0][:2] == ["b/c/3", "d"]
    assert entries(s3.list_objects(Bucket=filled, Marker="b/", Delimiter="/"))[1] == ["e/"]


def test_limits(s3, filled):
    none = s3.list_objects_v2(Bucket=filled, MaxKeys=0)
    assert (none["KeyCount"], none["IsTruncated"]) == (0, False)
    assert s3.list_objects_v2(Bucket=filled, MaxKeys=5000)["MaxKeys"] == 1000
    with refused("InvalidArgument", 400):
        s3.list_objects_v2(Bucket=filled, MaxKeys=-1)
    with refused("InvalidArgument", 400):
        s3.list_objects_v2(Bucket=filled, ContinuationToken="nonsense")
    with refused("NoSuchBucket", 404):
        s3.list_objects_v2(Bucket="no-such-bucket-here")


def test_a_key_is_listed_at_once_and_gone_at_once(s3, bucket):
    for number in range(20):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"")
        assert f"k{number}" in entries(s3.list_objects_v2(Bucket=bucket))[0]
    for number in range(20):
        s3.delete_object(Bucket=bucket, Key=f"k{number}")
        assert f"k{number}" not in entries(s3.list_objects_v2(Bucket=bucket))[0]
