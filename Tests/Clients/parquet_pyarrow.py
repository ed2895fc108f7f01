#!/usr/bin/env python3
"""pyarrow: a partitioned Parquet dataset is written and read again by column, row group and partition; files as streams."""
from session import ACCESS, BUCKET, ENDPOINT, LARGE_MB, REGION, SECRET, absent, large, refused

try:
    import pyarrow as pa
except ImportError:
    absent("pyarrow")
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as fs
import pyarrow.parquet as pq

s3 = fs.S3FileSystem(
    access_key=ACCESS, secret_key=SECRET, region=REGION, endpoint_override=ENDPOINT, allow_bucket_creation=True, allow_bucket_deletion=True)
s3.create_dir(BUCKET)
rows = LARGE_MB * 20_000
table = pa.table({
    "id": pa.array(range(rows)), "region": pa.array([f"r{number % 5}" for number in range(rows)]),
    "value": pa.array([number * 0.5 for number in range(rows)]), "text": pa.array([f"Zeile {number} äöü" for number in range(rows)])})

# One file: its footer, one column, one row group are read by ranges.
pq.write_table(table, f"{BUCKET}/one.parquet", filesystem=s3, row_group_size=rows // 8, compression="none")
one = pq.ParquetFile(f"{BUCKET}/one.parquet", filesystem=s3)
assert one.metadata.num_rows == rows and one.num_row_groups == 8
assert one.read_row_group(3, columns=["id"]).column("id").to_pylist() == list(range(rows // 8 * 3, rows // 8 * 4))
assert pq.read_table(f"{BUCKET}/one.parquet", filesystem=s3).equals(table)

# A dataset in folders; a filter reads only what it needs.
ds.write_dataset(table, f"{BUCKET}/dataset", filesystem=s3, format="parquet", partitioning=["region"], partitioning_flavor="hive")
dataset = ds.dataset(f"{BUCKET}/dataset", filesystem=s3, format="parquet", partitioning="hive")
assert dataset.count_rows() == rows
found = dataset.to_table(filter=(pc.field("region") == "r3") & (pc.field("id") < 100), columns=["id", "text"])
assert sorted(found.column("id").to_pylist()) == [number for number in range(100) if number % 5 == 3]
assert sorted(dataset.to_table().column("id").to_pylist()) == list(range(rows))

# The file system under it: streams, seeks, copies, folders.
data = large()
with s3.open_output_stream(f"{BUCKET}/raw/large", metadata={"Content-Type": "text/x"}) as stream:
    for start in range(0, len(data), 3_000_000):
        stream.write(data[start:start + 3_000_000])
with s3.open_input_file(f"{BUCKET}/raw/large") as file:
    assert file.size() == len(data)
    assert "text/x" in str(file.metadata())
    file.seek(7_000_001)
    assert file.read(100) == data[7_000_001:7_000_101]
with s3.open_input_stream(f"{BUCKET}/raw/large") as stream:
    assert stream.read() == data
s3.copy_file(f"{BUCKET}/raw/large", f"{BUCKET}/raw/copy")
s3.move(f"{BUCKET}/raw/copy", f"{BUCKET}/raw/moved äöü+&=%")
names = [info.base_name for info in s3.get_file_info(fs.FileSelector(f"{BUCKET}/raw"))]
assert sorted(names) == ["large", "moved äöü+&=%"]
assert s3.get_file_info(f"{BUCKET}/none").type == fs.FileType.NotFound
refused(FileNotFoundError, s3.open_input_file, f"{BUCKET}/none")
s3.create_dir(f"{BUCKET}/empty/folder", recursive=True)
assert s3.get_file_info(f"{BUCKET}/empty/folder").type == fs.FileType.Directory
s3.delete_dir(f"{BUCKET}/dataset")
assert s3.get_file_info(f"{BUCKET}/dataset").type == fs.FileType.NotFound
s3.delete_dir_contents(BUCKET)
s3.delete_dir(BUCKET)
assert s3.get_file_info(BUCKET).type == fs.FileType.NotFound
