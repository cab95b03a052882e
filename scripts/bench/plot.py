"""Line plots as SVG: categories from left to right, a logarithmic scale upwards. They are read on light and on dark
pages, so they have no background, and their colours follow the reader's preference."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 76, 24, 84, 56

# One colour a line, on light and on dark; all of them tell apart for the colour-blind too.
COLOURS = (("#0a6ebd", "#58b0f5"), ("#c2570c", "#f5a35c"), ("#1b7f5c", "#4fd0a2"))
STYLE = """
text { font-family: system-ui, -apple-system, "Segoe UI", sans-serif; font-size: 13px; fill: #424a53 }
.title { font-size: 16px; font-weight: 600; fill: #1f2328 }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.axis { stroke: #818b98; stroke-width: 1 }
.line { fill: none; stroke-width: 2.5; stroke-linejoin: round; stroke-linecap: round }
.dashed { stroke-width: 1.75; stroke-dasharray: 2 5 }
"""


def style():
    light = [f".c{number} {{ stroke: {colour} }} .m{number} {{ fill: {colour} }}"
             for number, (colour, _) in enumerate(COLOURS)]
    dark = [f".c{number} {{ stroke: {colour} }} .m{number} {{ fill: {colour} }}"
            for number, (_, colour) in enumerate(COLOURS)]
    page = "text { fill: #b1bac4 } .title { fill: #f0f6fc } .grid { stroke: #30363d } .axis { stroke: #7d8590 }"
    return STYLE + "\n".join(light) + "\n@media (prefers-color-scheme: dark) { " + page + " " + " ".join(dark) + " }\n"


def ticks(least, greatest):
    """1, 2 and 5 with their powers of ten, from the last one below the values to the first one above them."""
    powers = range(math.floor(math.log10(least)) - 1, math.ceil(math.log10(greatest)) + 2)
    steps = [step * 10.0 ** power for power in powers for step in (1, 2, 5)]
    first = max(step for step in steps if step <= least)
    last = min(step for step in steps if step >= greatest)
    return [step for step in steps if first <= step <= last]


def label(value):
    if value >= 1000:
        return f"{value / 1000:g}k"
    return f"{value:g}"


def lines(title, across, upwards, categories, series, note=""):
    """`series` are (name, values, dashed); those of one name have one colour, and the dashed one is not
    in the legend; the note stands beside that."""
    names = list(dict.fromkeys(name for name, _, _ in series))
    every = [value for _, values, _ in series for value in values]
    scale = ticks(min(every), max(every))
    low, high = math.log10(scale[0]), math.log10(scale[-1])
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def x(number):
        # Less than a third of a step at both ends keeps the markers off the edges.
        return LEFT + (number + 0.3) * (right - LEFT) / (len(categories) - 1 + 0.6)

    def y(value):
        return bottom - (math.log10(value) - low) / (high - low) * (bottom - TOP)

    def text(x, y, content, more=""):
        return f'<text x="{x:g}" y="{y:.1f}"{more and " " + more}>{escape(str(content))}</text>'

    def line(kind, x1, y1, x2, y2):
        return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'

    def marker(number, x, y, radius=4.5):
        return f'<circle class="m{number}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>'

    end, centre = 'text-anchor="end"', 'text-anchor="middle"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="{escape(title)}">',
        f"<style>{style()}</style>",
        text(LEFT, 28, title, 'class="title"'),
        text(right, 58.5, note, end),
        text((LEFT + right) / 2, HEIGHT - 10, across, centre),
        text(18, (TOP + bottom) / 2, upwards, f'{centre} transform="rotate(-90 18 {(TOP + bottom) / 2})"'),
    ]
    for tick in scale:
        parts += [line("grid", LEFT, y(tick), right, y(tick)), text(LEFT - 10, y(tick) + 4.5, label(tick), end)]
    parts.append(line("axis", LEFT, bottom, right, bottom))
    for number, category in enumerate(categories):
        at = x(number)
        parts += [line("axis", at, bottom, at, bottom + 5), text(at, bottom + 22, category, centre)]
    for name, values, dashed in series:
        number = names.index(name)
        points = [(x(index), y(value)) for index, value in enumerate(values)]
        path = " ".join(f"{over:.1f},{down:.1f}" for over, down in points)
        parts.append(f'<polyline class="line c{number}{" dashed" if dashed else ""}" points="{path}"/>')
        parts += [marker(number, *point, 2.5 if dashed else 4.5) for point in points]
    at = LEFT
    for number, name in enumerate(names):
        parts += [line(f"line c{number}", at, 54, at + 24, 54), marker(number, at + 12, 54), text(at + 32, 58.5, name)]
        at += 52 + 8 * len(name)
    return "\n".join([*parts, "</svg>", ""])
