"""Stacks as a flame graph in plain SVG: the width of a frame is its share of the samples, its colour the part of the work below it."""
import collections
import html

from .categories import COLOURS, NOISE, category

WIDTH, HEIGHT, TOP, FONT = 1400, 15, 60, 10
SHARE_MIN = 0.0015


class Node:
    """A frame with everything that was called from it."""

    def __init__(self, name):
        self.name, self.count, self.children, self.categories = name, 0, {}, collections.Counter()

    def add(self, path, count, kind):
        node = self
        for name in (None, *path):
            if name is not None:
                node = node.children.setdefault(name, Node(name))
            node.count += count
            node.categories[kind] += count

    @property
    def kind(self):
        return self.categories.most_common(1)[0][0]

    @property
    def depth(self):
        return 1 + max((child.depth for child in self.children.values()), default=0)


def tree(found, names):
    """`names`: of the processes, by id."""
    root = Node("all processes")
    for (pid, thread, frames), count in found.items():
        path = [names.get(pid, str(pid)), f"thread {thread}", *(shorter(symbol) for symbol, library, _ in reversed(frames) if not NOISE.search(symbol))]
        root.add(path, count, category(frames))
    return root


def shorter(symbol):
    """Without what generics and arguments add."""
    text, depth = "", 0
    for letter in symbol:
        depth -= letter in ")>" and depth > 0
        if depth == 0 and letter not in ")>":
            text += letter
        depth += letter in "(<"
    return text.replace("(", "").replace("<", "").strip()[:120] or symbol[:120]


def svg(root, title, subtitle):
    shown = [kind for kind, _ in root.categories.most_common()]
    legend = 18 * ((len(shown) + 6) // 7)
    height = TOP + legend + root_depth(root) * HEIGHT + 12
    parts = [f'<text x="8" y="20" font-size="15">{html.escape(title)}</text><text x="8" y="38">{html.escape(subtitle)}</text>']
    for place, kind in enumerate(shown):
        x, y = 8 + place % 7 * 198, 48 + place // 7 * 18
        share = root.categories[kind] / root.count
        parts.append(f'<rect x="{x}" y="{y}" width="11" height="11" fill="{COLOURS[kind]}"/><text x="{x + 15}" y="{y + 10}">{html.escape(kind)} {share:.1%}</text>')
    draw(root, 8, height - HEIGHT - 6, (WIDTH - 16) / root.count, root.count, parts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="{FONT}">'
            f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n')


def root_depth(root, share=SHARE_MIN, total=None):
    total = total or root.count
    return 1 + max((root_depth(child, share, total) for child in root.children.values() if child.count >= share * total), default=0)


def draw(node, x, y, scale, total, parts):
    width = node.count * scale
    label = html.escape(node.name)
    parts.append(f'<g><title>{label}: {node.count} samples, {node.count / total:.2%}; most of it {html.escape(node.kind)}</title>'
                 f'<rect x="{x:.1f}" y="{y}" width="{max(0.3, width - 0.4):.1f}" height="{HEIGHT - 1}" fill="{COLOURS[node.kind]}" fill-opacity="0.75"/>')
    letters = int((width - 4) / (FONT * 0.55))
    if letters >= 3:
        text = node.name if len(node.name) <= letters else node.name[:letters - 1] + "…"
        parts.append(f'<text x="{x + 2:.1f}" y="{y + 11}">{html.escape(text)}</text>')
    parts.append("</g>")
    for child in sorted(node.children.values(), key=lambda c: c.name):
        if child.count >= SHARE_MIN * total:
            draw(child, x, y - HEIGHT, scale, total, parts)
        x += child.count * scale
