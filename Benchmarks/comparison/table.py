"""The results as a page: one table in Markdown, and a plot beside it."""
import math
import statistics

from . import rows as all_rows
from .measuring import matched, median


def ratio(reports, others, name):
    """Median of the ratios of the rounds. A dash where there is nothing to divide by."""
    ratios = [a[name] / b[name] for a, b in matched(reports, others) if b[name] > 0]
    return f"{statistics.median(ratios):.2f}" if ratios else "–"


def markdown(meter, rows, others, names, conditions):
    """`names`: of the servers, the one that the others are compared with first."""
    base, compared = names[0], [name for name in names if not name.startswith("Martlet")]
    lines = [conditions, "", "Medians. CPU milliseconds of all processes of a server per request (in brackets requests a second, and p99); what is "
             "got is in the system's memory; memory: the largest sum over all processes, a page that several of them have counted once; s3cmd: seconds, and CPU seconds of the server. A mark is the design's, for one copy / three copies; "
             "*of it* is what was measured divided by it. The ratios are those of CPU (of memory, of CPU seconds) within a round.", "",
             "| " + " | ".join(["request", *names, "mark", "of it", *(f"{base} / {n}" for n in compared)]) + " |",
             "|" + "---|" * (3 + len(names) + len(compared))]
    for row in rows:
        figures = {name: meter.figures.get((row, name)) for name in names}
        lines.append(line(row.name, figures, cell, "cpu", row.mark, base, compared))
    for name, key, mark, show in (
            (all_rows.MEMORY, "bytes", {1: 0.35e9, 3: 0.35e9}, lambda r: f"**{median(r, 'bytes') / 1e9:.2f} GB**"),
            (all_rows.UPLOAD, "cpu", {1: 3, 3: 5}, lambda r: f"{median(r, 'seconds'):.1f} s, **{median(r, 'cpu'):.1f} s** CPU")):
        if name in others:
            figures = {server: meter.extremes.get((name, server)) for server in names}
            lines.append(line(name, figures, show, key, mark, base, compared))
    lines += large(meter, rows, base)
    if meter.failures:
        lines += ["", "Measurements that failed and were made again, at most twice in a round:", "", *(failed(*place, reasons) for place, reasons in meter.failures.items())]
    return "\n".join(lines) + "\n"


def failed(row, name, reasons):
    return f"- {getattr(row, 'name', row)}, {name}: {len(reasons)} ({'; '.join(reasons)})"


def large(meter, rows, base):
    """Large objects beside nginx and what hashing them costs by itself, for a MiB."""
    shown = [row for row in rows if row.mebibytes and (row, base) in meter.figures and (row, "nginx") in meter.figures]
    measured = meter.extremes.get((all_rows.HASHING, meter.HASHER))
    if not shown or not measured:
        return []
    lines = ["", "Large objects: CPU milliseconds a MiB beside nginx, and what hashing alone costs, measured in the same rounds by "
             "`martlet-benchmark hashing` (of a GET the CRC32C of bytes in the system's memory and bringing them to where it is computed, of a "
             "PUT MD5, SHA-256 and CRC32C). nginx hashes nothing.", "",
             f"| request | {base} | nginx | hashing | {base} / (nginx + hashing) |", "|---|---|---|---|---|"]
    for row in shown:
        rounds = [(ours["cpu"] / row.mebibytes, nginx["cpu"] / row.mebibytes, hashing[row.operation])
                  for ours, nginx, hashing in matched(meter.figures[row, base], meter.figures[row, "nginx"], measured)]
        if not rounds:
            continue
        figures = [statistics.median(values) for values in zip(*rounds)]
        ratios = [ours / (nginx + hashing) for ours, nginx, hashing in rounds]
        lines.append("| " + " | ".join([row.name, *(f"{value:.3f}" for value in figures), f"{statistics.median(ratios):.2f}"]) + " |")
    return lines


def line(title, figures, show, key, marks, base, compared):
    cells = [title, *(show(reports) if reports else "–" for reports in figures.values())]
    cells.append(" / ".join(f"≤ {value / 1e9:g} GB" if key == "bytes" else f"≤ {value:g}" for value in marks.values()) or "–")
    cells.append(distance(figures, key, marks))
    cells += [ratio(figures[base], figures[name], key) for name in compared]
    return "| " + " | ".join(cells) + " |"


def distance(figures, key, marks):
    parts = []
    for copies, mark in marks.items():
        reports = figures.get(f"Martlet, {copies} {'copy' if copies == 1 else 'copies'}")
        parts.append(f"{median(reports, key) / mark:.2f}" if reports else "–")
    return " / ".join(parts) or "–"


def cell(reports):
    return f"**{median(reports, 'cpu'):.3f}** ({median(reports, 'rate'):,.0f}/s, {median(reports, 'p99'):.1f} ms)"


COLOURS = ["#2b6cb0", "#63b3ed", "#718096", "#ed8936"]


def plot(meter, rows, names):
    """Bars of CPU per request on a logarithmic scale, as SVG; a stroke at each mark."""
    shown = [row for row in rows if row.concurrency == 16] or rows
    values = {(row, name): median(meter.figures[row, name], "cpu") for row in shown for name in names if (row, name) in meter.figures}
    positive = [value for value in values.values() if value > 0]
    if not positive:
        return None
    width, left, height, gap = 900, 210, 14, 12
    low, high = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)) + 1e-9)
    scale = (width - left - 90) / max(1, high - low)
    parts, y = [], 40
    for place, name in enumerate(names):
        x = left + place * 170
        parts.append(f'<rect x="{x}" y="10" width="12" height="12" fill="{COLOURS[place % 4]}"/><text x="{x + 18}" y="21">{name}</text>')
    for row in shown:
        parts.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{row.title}</text>')
        for place, name in enumerate(names):
            value = values.get((row, name), 0)
            if value <= 0:
                continue
            length = (math.log10(value) - low) * scale
            parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{height - 2}" fill="{COLOURS[place % 4]}"/>'
                         f'<text x="{left + length + 4:.1f}" y="{y + 11}" font-size="10">{value:.3g} ms</text>')
            mark = next((m for copies, m in row.mark.items() if name.startswith(f"Martlet, {copies} ")), None)
            if mark:
                x = left + (math.log10(mark) - low) * scale
                parts.append(f'<rect x="{x - 1:.1f}" y="{y - 1}" width="2" height="{height}" fill="#c53030"/>')
            y += height
        y += gap
    parts.append(f'<text x="{left}" y="{y + 6}" font-size="10">CPU per request, logarithmic; red: the mark</text>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y + 16}" font-family="sans-serif" font-size="12">'
            f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n')
