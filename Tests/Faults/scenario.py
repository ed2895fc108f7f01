"""What happens to a cluster and when: a value that follows from a seed, and that prints as what one would write to repeat it."""
import dataclasses
import random

# Faults of one process; the target is a process.
PROCESS = ("kill", "pause", "clock jump", "clock drift")
# Faults between hosts; the target is a host or a group of hosts.
NETWORK = ("partition", "one-way partition", "bridge", "isolation", "loss", "delay", "slow link")
# Faults of the disk of a storage node. The last two harm what is stored: one node of a cluster may have them, no more.
DISK = ("slow disk", "full disk", "disk error", "flipped bytes")
# To all storage nodes at once.
CLUSTER = ("kill all",)
RING = ("ring change",)
KINDS = PROCESS + NETWORK + DISK + CLUSTER + RING
HARMFUL = ("disk error", "flipped bytes")


@dataclasses.dataclass(frozen=True)
class Fault:
    """From `begin` to `end` seconds after the load has begun; then it is healed."""
    kind: str
    begin: float
    end: float
    target: str = ""
    hosts: tuple = ()
    amount: float = 0

    def __str__(self):
        words = [self.kind, self.target, ",".join(map(str, self.hosts)), f"{self.amount:g}" if self.amount else ""]
        return f"{self.begin:.1f}-{self.end:.1f} s: " + " ".join(word for word in words if word)


@dataclasses.dataclass(frozen=True)
class Scenario:
    seed: int
    nodes: int
    spares: int
    seconds: float
    faults: tuple
    managers: int = 1
    # Tombstones go as soon as every replica has them, not after a day.
    purges: bool = False
    versioned: bool = False

    def __str__(self):
        return f"seed {self.seed}, {self.nodes} nodes, {self.seconds:g} s: {self.events}"

    @property
    def events(self):
        """What is out of the ordinary, and what happens."""
        mix = [f"{self.managers} managers"] * (self.managers > 1) + ["purges"] * self.purges + ["versions"] * self.versioned
        return "; ".join([*mix, *map(str, self.faults)])


def random_scenario(seed, seconds, kinds=KINDS, managers=(1, 3)):
    """Two to four faults of these kinds that overlap as they may, on one of several kinds of clusters."""
    rng, mix = random.Random(seed), random.Random(f"{seed}/mix")
    purges, versioned, managers = mix.random() < 0.6, mix.random() < 0.3, managers[-1] if mix.random() < 0.3 else managers[0]
    nodes = rng.choices([3, 4, 5], [50, 25, 25])[0]
    hosts, faults, harmed = list(range(1, nodes + 1)), [], f"storage-{rng.randint(1, nodes)}"
    spares = 1 if "ring change" in kinds and rng.random() < 0.25 else 0
    if spares:
        faults.append(Fault("ring change", rng.uniform(0.5, seconds / 3), seconds, f"storage-{nodes + 1}"))
    choices = [kind for kind in kinds if kind != "ring change"]
    for _ in range(rng.randint(2, 4)):
        begin = rng.uniform(0.5, seconds * 0.65)
        end = min(begin + rng.uniform(1.5, max(2, seconds / 2)), seconds)
        faults.append(random_fault(rng, rng.choice(choices), begin, end, hosts, harmed, managers))
    happening = tuple(sorted(without_clashes(faults), key=lambda f: f.begin))
    return Scenario(seed, nodes, spares, seconds, happening, managers, purges, versioned)


def random_fault(rng, kind, begin, end, hosts, harmed, managers):
    nodes = [f"storage-{host}" for host in hosts]
    others = ["manager", *(f"manager-{i}" for i in range(2, managers + 1)), "replicator", "repair", "gateway-1", "gateway-2", "gateway-3"]
    process = rng.choice(nodes + others if rng.random() < 0.5 else nodes)
    node, host = rng.choice(nodes), rng.choice(hosts)
    match kind:
        case "kill" | "pause": return Fault(kind, begin, end, process)
        case "clock jump": return Fault(kind, begin, end, process, amount=rng.choice([7200, -7200, 40, -40]))
        case "clock drift": return Fault(kind, begin, end, process, amount=rng.choice([0.5, 1.5, 10]))
        case "partition": return Fault(kind, begin, end, hosts=tuple(sorted(rng.sample(hosts, rng.randint(1, len(hosts) // 2)))))
        case "one-way partition": return Fault(kind, begin, end, hosts=(host,), amount=rng.choice([1, -1]))
        case "bridge" | "isolation": return Fault(kind, begin, end, hosts=(host,))
        case "loss": return Fault(kind, begin, end, hosts=(host,), amount=rng.choice([5, 20, 40]))
        case "delay": return Fault(kind, begin, end, hosts=(host,), amount=100)
        case "slow link": return Fault(kind, begin, end, hosts=(host,), amount=rng.choice([500, 5000]))
        case "slow disk" | "full disk": return Fault(kind, begin, end, node)
        case "disk error" | "flipped bytes": return Fault(kind, begin, end, harmed)
        case "kill all": return Fault(kind, begin, min(end, begin + 2))
    raise ValueError(kind)


def without_clashes(faults):
    """No two faults that one process cannot have at the same time: what is paused cannot be restarted, and so on."""
    kept = []
    for fault in faults:
        def clashes(other):
            if other.begin > fault.end + 0.5 or other.end + 0.5 < fault.begin or {fault.kind, other.kind} & set(NETWORK):
                return False
            if "kill all" in (fault.kind, other.kind):
                return True
            return fault.target == other.target
        harmed_twice = fault.kind in HARMFUL and any(other.kind in HARMFUL for other in kept)
        if not harmed_twice and not any(clashes(other) for other in kept):
            kept.append(fault)
    return kept
