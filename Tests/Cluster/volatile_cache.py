"""A plugin for nbdkit: a disk with a volatile cache. What was not flushed is not in the image.

image=FILE   what survives a power cut
cache=FILE   the writes since the last flush: offset and length (8 bytes each, big endian), then the bytes
lies=1       flushes say that they are done, and are not: to prove that a test can fail
"""
import os
import struct

API_VERSION = 2
HEADER = struct.Struct(">QQ")
SECTOR = 512

options = {"lies": "0"}
files = {}
overlay = {}


def config(key, value):
    options[key] = value


def thread_model():
    import nbdkit
    return nbdkit.THREAD_MODEL_SERIALIZE_ALL_REQUESTS


def get_ready():
    files["image"] = os.open(options["image"], os.O_RDWR)
    files["cache"] = os.open(options["cache"], os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)


def open(readonly):  # noqa: A001 - the name that nbdkit calls
    return 1


def get_size(handle):
    return os.fstat(files["image"]).st_size


def can_write(handle):
    return True


def can_flush(handle):
    return True


def pread(handle, buffer, offset, flags):
    data = bytearray(os.pread(files["image"], len(buffer), offset))
    for sector in range(offset // SECTOR, (offset + len(buffer)) // SECTOR) if overlay else ():
        if sector in overlay:
            at = sector * SECTOR - offset
            data[at:at + SECTOR] = overlay[sector]
    buffer[:] = data


def pwrite(handle, buffer, offset, flags):
    data = bytes(buffer)
    assert offset % SECTOR == 0 and len(data) % SECTOR == 0
    os.write(files["cache"], HEADER.pack(offset, len(data)) + data)
    for at in range(0, len(data), SECTOR):
        overlay[(offset + at) // SECTOR] = data[at:at + SECTOR]


def flush(handle, flags):
    if options["lies"] == "1":
        return
    run, start = [], 0
    for sector in sorted(overlay):
        if run and sector != start + len(run):
            os.pwrite(files["image"], b"".join(run), start * SECTOR)
            run = []
        if not run:
            start = sector
        run.append(overlay[sector])
    if run:
        os.pwrite(files["image"], b"".join(run), start * SECTOR)
    overlay.clear()
    os.ftruncate(files["cache"], 0)
    os.lseek(files["cache"], 0, os.SEEK_SET)
