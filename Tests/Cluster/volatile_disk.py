"""An ext4 file system on a block device whose unflushed writes are lost on a power cut: nbdkit, nbdfuse and a loop device."""
import os
import pathlib
import shutil
import subprocess
import time

import volatile_cache

TOOLS = ["nbdkit", "nbdfuse", "losetup", "mkfs.ext4", "e2fsck", "mount", "umount"]


def unavailable():
    """Why such a disk cannot be made here; None when it can."""
    missing = [tool for tool in TOOLS if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin")]
    if missing:
        return f"{', '.join(missing)} NOT INSTALLED"
    if os.geteuid() != 0:
        return "mounting NEEDS ROOT"
    if not os.path.exists("/dev/fuse") or not os.path.exists("/dev/loop-control"):
        return "NO /dev/fuse OR LOOP DEVICES here"
    if subprocess.run(["nbdkit", "--dump-plugin", "python"], capture_output=True).returncode != 0:
        return "nbdkit has NO PYTHON PLUGIN (nbdkit-plugin-python)"
    return None


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    return done.stdout


class VolatileDisk:
    def __init__(self, folder, mount_point, size_mib=700, lies=False):
        self.folder, self.mount_point, self.lies = pathlib.Path(folder), pathlib.Path(mount_point), lies
        self.folder.mkdir(parents=True, exist_ok=True)
        self.mount_point.mkdir(parents=True, exist_ok=True)
        self.image, self.cache = self.folder / "image", self.folder / "cache"
        self.kit = self.fuse = self.loop = None
        with open(self.image, "wb") as image:
            image.truncate(size_mib << 20)
        run("mkfs.ext4", "-q", "-F", self.image)

    def start(self):
        socket, exported = self.folder / "socket", self.folder / "exported"
        socket.unlink(missing_ok=True)
        exported.mkdir(exist_ok=True)
        self.kit = subprocess.Popen(
            ["nbdkit", "-f", "-U", str(socket), "python", volatile_cache.__file__, f"image={self.image}",
             f"cache={self.cache}", f"lies={int(self.lies)}"], stderr=open(self.folder / "nbdkit.log", "ab"))
        self.wait(socket.exists)
        self.fuse = subprocess.Popen(["nbdfuse", str(exported / "disk"), f"nbd+unix:///?socket={socket}"],
                                     stderr=open(self.folder / "nbdfuse.log", "ab"))
        self.wait((exported / "disk").exists)
        self.loop = run("losetup", "--find", "--show", exported / "disk").strip()
        run("mount", self.loop, self.mount_point)

    def wait(self, condition, seconds=10):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end or self.kit.poll() is not None:
                raise RuntimeError("the device does not come up: " + (self.folder / "nbdkit.log").read_text())
            time.sleep(0.01)

    def cut(self):
        """From now on nothing reaches the image."""
        self.kit.kill()
        self.kit.wait()

    def settle(self, rng=None):
        """Takes the dead device away. With `rng`, each unflushed sector may have reached the disk all the same."""
        self.unmount()
        if rng:
            self.keep_some(rng)

    def unmount(self):
        for command in (["umount", "-l", self.mount_point], ["losetup", "-d", self.loop]):
            if self.loop:
                subprocess.run([str(c) for c in command], capture_output=True)
        if self.fuse:
            subprocess.run(["umount", "-l", str(self.folder / "exported")], capture_output=True)
            self.fuse.kill()
            self.fuse.wait()
        self.loop = self.fuse = None

    def keep_some(self, rng):
        share = rng.random()
        with open(self.cache, "rb") as cache, open(self.image, "r+b") as image:
            while header := cache.read(volatile_cache.HEADER.size):
                if len(header) < volatile_cache.HEADER.size:
                    break
                offset, length = volatile_cache.HEADER.unpack(header)
                data = cache.read(length)
                for at in range(0, len(data) - 511, 512):
                    if rng.random() < share:
                        image.seek(offset + at)
                        image.write(data[at:at + 512])

    def repair(self):
        """What a start of the machine does: the journal is replayed, errors would be mended."""
        checked = subprocess.run(["e2fsck", "-p", str(self.image)], capture_output=True, text=True, timeout=60)
        if checked.returncode > 1:
            raise RuntimeError(f"e2fsck: {checked.stdout}{checked.stderr}")

    def stop(self):
        self.unmount()
        if self.kit and self.kit.poll() is None:
            self.kit.kill()
            self.kit.wait()
