#!/usr/bin/env python3
"""minio-py: objects from files and streams, parts, copies and compositions, links, tags, versions, many deletes."""
import datetime
import io
import json
import tempfile
import urllib.request

from session import ACCESS, BUCKET, FILES, HOST, REGION, SECRET, absent, large, refused

try:
    import minio
except ImportError:
    absent("minio")
from minio import commonconfig, deleteobjects, versioningconfig
from minio.error import S3Error

client = minio.Minio(HOST, access_key=ACCESS, secret_key=SECRET, secure=False, region=REGION)
client.make_bucket(BUCKET)
assert client.bucket_exists(BUCKET) and not client.bucket_exists(BUCKET + "-none")
assert BUCKET in [bucket.name for bucket in client.list_buckets()]


def read(key, **options):
    response = client.get_object(BUCKET, key, **options)
    try:
        return response.read()
    finally:
        response.close()
        response.release_conn()


# A stream of known length, one of unknown length in parts, a file.
data = large()
client.put_object(BUCKET, "known", io.BytesIO(data), len(data), content_type="text/x", metadata={"farbe": "gruen"})
client.put_object(BUCKET, "unknown", io.BytesIO(data), -1, part_size=5 << 20)
assert read("known") == data == read("unknown")
assert read("known", offset=1_000_003, length=77) == data[1_000_003:1_000_080]
stat = client.stat_object(BUCKET, "known")
assert (stat.size, stat.content_type, stat.metadata["x-amz-meta-farbe"]) == (len(data), "text/x", "gruen")
with tempfile.NamedTemporaryFile() as file:
    client.fget_object(BUCKET, "unknown", file.name)
    client.fput_object(BUCKET, "ordner/Datei äöü+&=%.txt", file.name)
assert read("ordner/Datei äöü+&=%.txt") == data
assert refused(S3Error, client.stat_object, BUCKET, "none").code == "NoSuchKey"

# Within the store.
client.copy_object(BUCKET, "copy", commonconfig.CopySource(BUCKET, "known"))
assert read("copy") == data
client.compose_object(BUCKET, "twice", [commonconfig.ComposeSource(BUCKET, "known"), commonconfig.ComposeSource(BUCKET, "copy")])
assert read("twice") == data + data

# Links, and a form.
minute = datetime.timedelta(minutes=1)
upload = urllib.request.Request(client.presigned_put_object(BUCKET, "linked", minute), data=b"by a link", method="PUT")
assert urllib.request.urlopen(upload).status == 200
assert urllib.request.urlopen(client.presigned_get_object(BUCKET, "linked", minute)).read() == b"by a link"

# Tags, policy.
tags = commonconfig.Tags.new_object_tags()
tags["farbe"] = "grün"
client.set_object_tags(BUCKET, "known", tags)
assert client.get_object_tags(BUCKET, "known") == tags
client.delete_object_tags(BUCKET, "known")
assert not client.get_object_tags(BUCKET, "known")
statement = {"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": ["s3:GetObject"], "Resource": [f"arn:aws:s3:::{BUCKET}/*"]}
client.set_bucket_policy(BUCKET, json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
assert json.loads(client.get_bucket_policy(BUCKET))["Statement"] == [statement]
assert urllib.request.urlopen(f"http://{HOST}/{BUCKET}/linked").read() == b"by a link"

# Lists, with and without folders; versions; and away with everything.
for number in range(FILES):
    client.put_object(BUCKET, f"many/{number % 7}/{number:05}", io.BytesIO(b"x" * number), number)
listed = [one.object_name for one in client.list_objects(BUCKET, prefix="many/", recursive=True)]
assert listed == sorted(listed) and len(listed) == FILES
assert [one.object_name for one in client.list_objects(BUCKET, prefix="many/") if one.is_dir] == [f"many/{n}/" for n in range(7)]
client.set_bucket_versioning(BUCKET, versioningconfig.VersioningConfig(commonconfig.ENABLED))
first = client.put_object(BUCKET, "versions", io.BytesIO(b"1"), 1).version_id
client.put_object(BUCKET, "versions", io.BytesIO(b"22"), 2)
client.remove_object(BUCKET, "versions")
assert read("versions", version_id=first) == b"1"
versions = list(client.list_objects(BUCKET, prefix="versions", include_version=True))
assert sorted(one.is_delete_marker for one in versions) == [False, False, True]
everything = client.list_objects(BUCKET, recursive=True, include_version=True)
doomed = [deleteobjects.DeleteObject(one.object_name, one.version_id) for one in everything]
assert list(client.remove_objects(BUCKET, doomed)) == []
client.remove_bucket(BUCKET)
assert not client.bucket_exists(BUCKET)
