"""Hosts on one machine: network namespaces on a switch whose links can be cut, made lossy, slowed down and healed.

Host I is 198.18.0.I. A namespace is kept by a process of its own that ends with this one, and everything in it goes with it: nothing
is left behind, whatever happens. No address exists outside the namespaces and no route leads out of them.

Cuts and losses are rules of nftables where frames leave a port of the switch, by their sender. A delayed link is taken
out of the switch and carried by `carrier.py`: few kernels that tests run on have netem.
"""
import concurrent.futures
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
HOSTS_MAX = 16
TOOLS = ["ip", "nft", "tc", "nsenter", "unshare"]
libc = ctypes.CDLL(None, use_errno=True)


def unavailable():
    """Why hosts cannot be made here; None when they can."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    missing = [tool for tool in TOOLS if not shutil.which(tool, path=path)]
    if missing:
        return f"{', '.join(missing)} NOT INSTALLED (Debian: iproute2 nftables util-linux)"
    tried = subprocess.run(["unshare", "--net", "ip", "link", "add", "type", "bridge"], capture_output=True, text=True)
    if tried.returncode != 0:
        return f"NETWORK NAMESPACES ARE NOT PERMITTED: {tried.stderr.strip()}"
    rule = 'table netdev t {\nchain c {\ntype filter hook egress devices = { "lo" } priority 0; policy accept;\n}\n}\n'
    tried = subprocess.run(["unshare", "--net", "nft", "-f", "-"], input=rule, capture_output=True, text=True)
    if tried.returncode != 0:
        return f"THE KERNEL HAS NO EGRESS HOOK OF NFTABLES: {tried.stderr.strip().splitlines()[:1]}"
    return None


def die_with_parent():
    """For `preexec_fn`: no process of a test outlives it, even when the test is killed."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def address(host):
    return f"198.18.0.{host}"


def mac(host):
    return f"02:00:c6:12:00:{host:02x}"


class Namespace:
    """An empty network namespace, kept by a sleeping process."""

    def __init__(self):
        self.keeper = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], preexec_fn=die_with_parent)
        self.path, own, end = f"/proc/{self.keeper.pid}/ns/net", os.readlink("/proc/self/ns/net"), time.monotonic() + 10
        while os.readlink(self.path) == own or pathlib.Path(f"/proc/{self.keeper.pid}/comm").read_text().strip() != "sleep":
            if self.keeper.poll() is not None or time.monotonic() > end:
                raise RuntimeError("unshare --net does not start")
            time.sleep(0.002)

    def command(self, *words):
        return ["nsenter", f"--net={self.path}", *map(str, words)]

    def run(self, *words, text=None, check=True):
        done = subprocess.run(self.command(*words), input=text, capture_output=True, text=True, timeout=30)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, words))}: {done.stdout}{done.stderr}")
        return done.stdout

    def enter(self):
        """Moves the calling thread into the namespace, for good: sockets that it makes belong there."""
        with open(self.path) as file:
            if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def close(self):
        self.keeper.kill()
        self.keeper.wait()


class Network:
    """Hosts 1 to `count`, all connected."""

    def __init__(self, count):
        assert 1 <= count <= HOSTS_MAX
        self.hosts = range(1, count + 1)
        self.switch, self.spaces, self.threads, self.carriers = None, {}, {}, []
        try:
            self.switch = Namespace()
            self.spaces = {host: Namespace() for host in self.hosts}
            self.build()
        except BaseException:
            self.close()
            raise
        for host in self.hosts:
            self.threads[host] = concurrent.futures.ThreadPoolExecutor(4, f"host-{host}", self.spaces[host].enter)

    def build(self):
        lines = ["link add br0 type bridge stp_state 0", "link set br0 up"]
        for host, space in self.spaces.items():
            lines += [f"link add p{host} type veth peer name eth0 netns {space.keeper.pid}", f"link set p{host} master br0 up"]
        self.switch.run("ip", "-batch", "-", text="\n".join(lines))
        for host, space in self.spaces.items():
            lines = ["link set lo up", f"link set eth0 address {mac(host)} up", f"addr add {address(host)}/24 dev eth0"]
            # Neighbours are fixed: a cut must look like silence, not like "no such host".
            lines += [f"neigh replace {address(o)} lladdr {mac(o)} dev eth0 nud permanent" for o in self.hosts if o != host]
            space.run("ip", "-batch", "-", text="\n".join(lines))
            self.switch.run("bridge", "fdb", "replace", mac(host), "dev", f"p{host}", "master", "static")
        self.lay_rules()

    def lay_rules(self):
        """The tables with nothing cut, lossy or delayed in them."""
        ports = ", ".join(f'"p{host}"' for host in self.hosts)
        self.switch.run("nft", "-f", "-", text=f"""
            table netdev links
            delete table netdev links
            table netdev links {{
                set severed {{ type ether_addr . ifname; }}
                chain lossy {{ }}
                chain leave {{
                    type filter hook egress devices = {{ {ports} }} priority 0; policy accept;
                    ether saddr . oifname @severed counter drop
                    jump lossy
                }}
            }}
            table bridge carried
            delete table bridge carried
            table bridge carried {{
                set delayed {{ type ifname . ifname; }}
                chain forward {{
                    type filter hook forward priority 0; policy accept;
                    iifname . oifname @delayed ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00 counter drop
                }}
            }}""")

    # Faults

    def cut(self, links):
        """No frame passes along these links, pairs (from, to), any more."""
        elements = ", ".join(f'{mac(a)} . "p{b}"' for a, b in links)
        self.switch.run("nft", f"add element netdev links severed {{ {elements} }}")

    def lose(self, links, percent):
        """That share of the frames does not arrive."""
        for a, b in links:
            # Frames are dropped whole: the sender must not make any that is larger than one packet.
            self.spaces[a].run("ip", "link", "set", "eth0", "gso_max_segs", 1)
            self.switch.run("nft", f"add rule netdev links lossy ether saddr {mac(a)} oifname p{b} "
                                   f"numgen random mod 1000 < {round(percent * 10)} counter drop")

    def delay(self, links, milliseconds, jitter=0):
        """Frames arrive so much later, and overtake each other within the jitter. Each pair stands for both ways."""
        pairs = sorted({(min(pair), max(pair)) for pair in links})
        words = [word for a, b in pairs for word in (f"p{a}", mac(a), f"p{b}", mac(b))]
        program = pathlib.Path(__file__).with_name("carrier.py")
        carrier = subprocess.Popen(
            self.switch.command(sys.executable, program, milliseconds, jitter, *words), stdout=subprocess.PIPE, text=True,
            preexec_fn=die_with_parent)
        self.carriers.append(carrier)
        if carrier.stdout.readline() != "carrying\n":
            raise RuntimeError("carrier.py does not start")
        elements = ", ".join(f'"p{a}" . "p{b}", "p{b}" . "p{a}"' for a, b in pairs)
        self.switch.run("nft", f"add element bridge carried delayed {{ {elements} }}")

    def slow(self, host, kilobits):
        """What the host may send in a second."""
        self.spaces[host].run(
            "tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", "rate", f"{kilobits}kbit", "burst", "32k", "latency", "400ms")

    def heal(self):
        """Everything is as it was at the beginning."""
        self.lay_rules()
        for carrier in self.carriers:
            carrier.kill()
            carrier.wait()
        self.carriers = []
        for space in self.spaces.values():
            space.run("ip", "link", "set", "eth0", "gso_max_segs", 65535)
            space.run("tc", "qdisc", "del", "dev", "eth0", "root", check=False)

    def links(self, some, others):
        """All links from one group of hosts to another."""
        return [(a, b) for a in some for b in others if a != b]

    # Programs

    def command(self, host, *words):
        return self.spaces[host].command(*words)

    def call(self, host, function, *arguments):
        """Calls a function in a thread that is on the host, and returns what it returns."""
        return self.threads[host].submit(function, *arguments).result()

    def close(self):
        for carrier in self.carriers:
            carrier.kill()
            carrier.wait()
        for pool in self.threads.values():
            pool.shutdown(wait=False, cancel_futures=True)
        for space in [*self.spaces.values(), *([self.switch] if self.switch else [])]:
            space.close()
