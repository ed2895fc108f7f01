"""The figures as Markdown."""
from . import looks


def markdown(state, size):
    points = [state.checkpoints[objects] for objects in sorted(state.checkpoints)]
    lines = ["| | " + " | ".join(f"{p['objects']:,} objects" for p in points) + " |", "|---|" + "---|" * len(points)]

    def line(title, value):
        cells = []
        for point in points:
            try:
                cells.append(value(point))
            except KeyError:
                cells.append("–")
        lines.append(f"| {title} | " + " | ".join(cells) + " |")

    line(f"load of {size} bytes each, since the checkpoint before", lambda p: f"{p['load']['rate']:,.0f}/s, {p['load']['cpu_milliseconds']:.2f} ms of CPU each")
    line("index of a node, bytes per object", lambda p: f"{p['disk'].get('index', 0) / p['objects']:,.0f}")
    line("log of a node in use, bytes per object", lambda p: f"{p['disk']['active'] / p['objects']:,.0f}")
    line("log of a node on the disk, MiB", lambda p: f"{p['disk'].get('log', 0) / 2**20:,.0f}")
    for name in looks.PROCESSES:
        line(f"memory of {name} after the load (at most), MiB", lambda p: f"{p['memory'][name]['now'] / 2**20:.0f} ({p['memory'][name]['peak'] / 2**20:.0f})")
    line("memory of storage-2 after restart and comparisons, of which not from files, MiB",
         lambda p: f"{p['memory_after']['storage-2']['now'] / 2**20:.0f}, {p['memory_after']['storage-2']['anonymous'] / 2**20:.0f}")
    line("storage-2 ready again after a clean stop", lambda p: f"{p['restart']['clean']['ready']:.2f} s")
    line("storage-2 ready again after a kill", lambda p: f"{p['restart']['killed']['ready']:.2f} s")
    line("all replicas proved equal, digests made anew", lambda p: proof(p["comparison"]["first"]))
    line("again, digests kept", lambda p: proof(p["comparison"]["again"]))
    line("one register behind found and repaired, one node's digests made anew", lambda p: proof(p["difference"]["one"]))
    for title, _ in looks.PAGES:
        line(f"page: {title}", lambda p: "{milliseconds:.1f} ms, {cpu:.1f} ms CPU, {entries} entries".format(**p["pages"][title]))
    return "\n".join(lines) + "\n" + others(state.others)


def proof(found):
    return f"{found['seconds']:.2f} s" + (f", {found['comparisons']} comparisons" if found["comparisons"] > 1 else "")


def others(found):
    lines = []
    if idle := found.get("connections"):
        lines.append(f"\n{idle['connections']:,} idle connections: {idle['bytes_each'] / 1024:.1f} KiB of the gateway's memory each.")
    if tenants := found.get("tenants"):
        each = ", ".join(f"{name} {count:,.0f}" for name, count in tenants["bytes_per_bucket"].items())
        lines.append(f"\n{tenants['users']} users with {tenants['buckets']:,} buckets: {tenants['seconds_per_user'] * 1000:.0f} ms for a user, "
                     f"{tenants['seconds_per_bucket'] * 1000:.1f} ms for a bucket (8 at a time); a user's list of its buckets "
                     f"{tenants['list_buckets_milliseconds']:.0f} ms; the state {tenants['state_bytes'] / tenants['buckets']:,.0f} bytes for each bucket; "
                     f"memory for each bucket in bytes: {each}.")
    return "\n".join(lines) + "\n"
