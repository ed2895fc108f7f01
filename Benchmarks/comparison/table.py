"""The results as a page: one table in Markdown, and a plot beside it."""
import math
import statistics

from .measuring import median


def ratio(reports, others, name):
    """Median of the ratios of the rounds: each round was measured in the same minute."""
    return statistics.median(a[name] / b[name] for a, b in zip(reports, others))


def markdown(figures, rows, servers, conditions):
    names = [server.name for server in servers]
    base = names[0]
    lines = [f"{conditions}\n", "CPU milliseconds of all processes of a server per request (in brackets requests a second and p99): medians.\n"]
    lines.append("| request | at a time | " + " | ".join(names) + " | mark | " + " | ".join(f"{base} / {n}" for n in peers(names)) + " |")
    lines.append("|" + "---|" * (3 + len(names) + len(peers(names))))
    for row in rows:
        cells = [row.title, str(row.concurrency)]
        for name in names:
            reports = figures.get((row, name))
            cells.append(cell(reports) if reports else "–")
        cells.append(mark(row))
        for name in peers(names):
            both = figures.get((row, base)), figures.get((row, name))
            cells.append(f"{ratio(*both, 'cpu'):.2f}" if all(both) else "–")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def peers(names):
    return [name for name in names if not name.startswith("Martlet")]


def cell(reports):
    return f"**{median(reports, 'cpu'):.3f}** ({median(reports, 'rate'):,.0f}/s, {median(reports, 'p99'):.1f} ms)"


def mark(row):
    return " / ".join(f"≤ {value:g}" for value in row.mark.values()) or "–"


def extremes(memory, uploads, servers):
    """What is measured once for each server."""
    lines = ["| | " + " | ".join(server.name for server in servers) + " |", "|" + "---|" * (1 + len(servers))]
    lines.append("| memory at most, 16 × 16 MiB at once, all processes | "
                 + " | ".join(f"{memory[s.name] / 1e9:.2f} GB" for s in servers) + " |")
    lines.append("| `s3cmd put` of 1 GB: seconds / CPU seconds of the server | " + " | ".join(
        f"{uploads[s.name]['seconds']:.1f} / {uploads[s.name]['cpu']:.1f}" if s.name in uploads else "–" for s in servers) + " |")
    return "\n".join(lines) + "\n"


COLOURS = ["#2b6cb0", "#63b3ed", "#718096", "#ed8936"]


def plot(figures, rows, servers):
    """Bars of CPU per request on a logarithmic scale, as SVG."""
    shown = [row for row in rows if row.concurrency == 16]
    width, left, height, gap = 900, 210, 14, 12
    values = {(row, s.name): median(figures[row, s.name], "cpu") for row in shown for s in servers if (row, s.name) in figures}
    low, high = (math.floor(math.log10(min(values.values()))), math.ceil(math.log10(max(values.values()))))
    scale = (width - left - 80) / (high - low)
    parts, y = [], 40
    for place, server in enumerate(servers):
        x = left + place * 170
        parts.append(f'<rect x="{x}" y="10" width="12" height="12" fill="{COLOURS[place]}"/><text x="{x + 18}" y="21">{server.name}</text>')
    for row in shown:
        parts.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{row.title}</text>')
        for place, server in enumerate(servers):
            if (value := values.get((row, server.name))) is None:
                continue
            length = (math.log10(value) - low) * scale
            parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{height - 2}" fill="{COLOURS[place]}"/>'
                         f'<text x="{left + length + 4:.1f}" y="{y + 11}" font-size="10">{value:.3g} ms</text>')
            y += height
        y += gap
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y + 10}" font-family="sans-serif" font-size="12">'
            f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n')
