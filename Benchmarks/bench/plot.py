"""Small line plots as SVG: panels side by side over one logarithmic axis."""

import math
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT, GAP, TOP, BOTTOM = 300, 200, 70, 50, 50
COLORS = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700")


@dataclass
class Panel:
    title: str
    lines: dict[str, list[float]]


def power(value: float) -> str:
    exponent = math.log10(value)
    return f"10{''.join('⁰¹²³⁴⁵⁶⁷⁸⁹'[int(digit)] for digit in str(round(exponent)))}"


def write(path: str, title: str, x: list[float], panels: list[Panel]) -> None:
    """Writes the panels; each y axis begins at 0, so that flat looks flat."""
    width = GAP + len(panels) * (WIDTH + GAP)
    height = TOP + HEIGHT + BOTTOM + 20
    low, high = math.log10(min(x)), math.log10(max(x))
    span = max(high - low, 1e-9)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{GAP}" y="20" font-size="14">{escape(title)}</text>',
    ]
    for number, panel in enumerate(panels):
        left = GAP + number * (WIDTH + GAP)
        top = max(max(values) for values in panel.lines.values()) * 1.15 or 1.0
        out.append(f'<text x="{left}" y="{TOP - 8}">{escape(panel.title)}</text>')
        for step in range(5):
            y = TOP + HEIGHT - step * HEIGHT / 4
            out.append(f'<line x1="{left}" y1="{y}" x2="{left + WIDTH}" y2="{y}" stroke="#ddd"/>')
            out.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{top * step / 4:.3g}</text>')
        for decade in range(math.ceil(low - 0.05), math.floor(high + 0.05) + 1):
            place = left + (decade - low) / span * WIDTH
            out.append(f'<text x="{place:.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{power(10 ** decade)}</text>')
        out.append(f'<text x="{left + WIDTH / 2}" y="{TOP + HEIGHT + 34}" text-anchor="middle">rows buffered</text>')
        for index, (name, values) in enumerate(panel.lines.items()):
            color = COLORS[index % len(COLORS)]
            places = [
                (left + (math.log10(at) - low) / span * WIDTH, TOP + HEIGHT - value / top * HEIGHT)
                for at, value in zip(x, values)
            ]
            out.append(
                f'<polyline fill="none" stroke="{color}" stroke-width="2" points="'
                + " ".join(f"{a:.1f},{b:.1f}" for a, b in places) + '"/>')
            out += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{color}"/>' for a, b in places]
            if len(panel.lines) > 1:
                out.append(
                    f'<text x="{left + 8 + index * 70}" y="{TOP + HEIGHT + 52}" fill="{color}">{escape(name)}</text>')
    out.append("</svg>")
    with open(path, "w") as file:
        file.write("\n".join(out) + "\n")
