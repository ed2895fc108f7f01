#!/usr/bin/env python3
"""duckdb with its httpfs extension: Parquet and CSV are written in parts and read by ranges, one file or many by a pattern."""
import importlib.util
import pathlib

from session import ACCESS, BUCKET, HOST, LARGE_MB, REGION, SECRET, absent, refused

try:
    import boto3
    import duckdb
except ImportError:
    absent("duckdb")
# The extension of this duckdb, as PyPI has it: duckdb's own server for extensions may be out of reach.
package = importlib.util.find_spec("duckdb_extension_httpfs")
if package is None:
    absent("duckdb-extension-httpfs")
extension = next(pathlib.Path(package.origin).parent.rglob("httpfs.duckdb_extension"))

s3 = boto3.client("s3", endpoint_url=f"http://{HOST}", region_name=REGION)
s3.create_bucket(Bucket=BUCKET)
db = duckdb.connect()
db.execute(f"LOAD '{extension}'")
db.execute(f"""CREATE SECRET (TYPE s3, KEY_ID '{ACCESS}', SECRET '{SECRET}', REGION '{REGION}', ENDPOINT '{HOST}',
               URL_STYLE 'path', USE_SSL false)""")
rows = LARGE_MB * 50_000


def one(query):
    return db.execute(query).fetchone()


# Random numbers do not compress: the file goes up in parts.
db.execute(f"CREATE TABLE t AS SELECT range AS id, range % 5 AS region, random() AS value, 'Zeile ' || range || ' äöü' AS text FROM range({rows})")
db.execute(f"COPY t TO 's3://{BUCKET}/one.parquet' (FORMAT parquet)")
whole = "SELECT count(*), sum(id), bit_xor(hash(value)) FROM"
assert one(f"{whole} 's3://{BUCKET}/one.parquet'") == one(f"{whole} t")
assert one(f"SELECT text FROM 's3://{BUCKET}/one.parquet' WHERE id = {rows - 3}") == (f"Zeile {rows - 3} äöü",)
assert one(f"SELECT num_rows FROM parquet_file_metadata('s3://{BUCKET}/one.parquet')") == (rows,)

# Folders of a partition, and patterns.
db.execute(f"COPY t TO 's3://{BUCKET}/parts' (FORMAT parquet, PARTITION_BY (region))")
everything = f"read_parquet('s3://{BUCKET}/parts/*/*.parquet', hive_partitioning = true)"
assert one(f"SELECT count(*), count(DISTINCT region) FROM {everything}") == (rows, 5)
assert one(f"SELECT count(*), min(id) FROM {everything} WHERE region = 3") == (rows // 5, 3)
assert one(f"SELECT count(*) FROM glob('s3://{BUCKET}/parts/region=[24]/*')")[0] >= 2
db.execute(f"COPY (SELECT * FROM t WHERE id < 1000) TO 's3://{BUCKET}/Namen äöü+&=%/some.csv' (HEADER)")
assert one(f"SELECT count(*) FROM read_csv('s3://{BUCKET}/Namen äöü+&=%/*.csv')") == (1000,)
assert "404" in str(refused(duckdb.Error, db.execute, f"SELECT * FROM 's3://{BUCKET}/none.parquet'"))

# By a link.
link = s3.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "one.parquet"}, ExpiresIn=60)
assert one(f"SELECT count(*) FROM read_parquet('{link}')") == (rows,)

for listed in s3.list_objects_v2(Bucket=BUCKET)["Contents"]:
    s3.delete_object(Bucket=BUCKET, Key=listed["Key"])
s3.delete_bucket(Bucket=BUCKET)
