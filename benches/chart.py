"""Draws the picture of the measurements: SVG, with nothing but the standard library."""

import html
import math

INK, FAINT, GRID = "#1f2328", "#656d76", "#d8dee4"
FONT = 'font-family="Helvetica, Arial, sans-serif"'


def text(x, y, words, size=11, anchor="start", fill=INK, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{fill}" '
            f'font-weight="{weight}">{html.escape(words)}</text>')


def line(x1, y1, x2, y2, colour=GRID, width=1.0):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def short(number):
    """10, 1k, 10k, 1M ..."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:.3g}{letter}"
    return f"{number:.3g}"


def decades(low, high):
    return [10 ** power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def bars(x, y, width, title, rows, colours, label_width=225):
    """Horizontal bars on a logarithmic scale, as SVG elements, and their height.

    `rows` is a list of (label, figures), and figures has a number or None for each of `colours`.
    """
    numbers = [number for _, figures in rows for number in figures if number]
    ticks = decades(min(numbers), max(numbers))
    left, right = x + label_width, x + width - 36
    bar, gap = 6, 8
    height_of_row = bar * len(colours) + gap
    top = y + 40
    bottom = top + height_of_row * len(rows)

    def position(number):
        share = (math.log10(number) - math.log10(ticks[0])) / (math.log10(ticks[-1]) - math.log10(ticks[0]))
        return left + share * (right - left)

    parts = [text(x, y + 12, title, 14, weight="bold")]
    for tick in ticks:
        parts.append(line(position(tick), top - 6, position(tick), bottom))
        parts.append(text(position(tick), top - 10, short(tick), 10, "middle", FAINT))
    for i, (label, figures) in enumerate(rows):
        row_top = top + i * height_of_row
        parts.append(text(left - 6, row_top + bar * len(colours) / 2 + 4, label, 9.5, "end"))
        for j, (number, colour) in enumerate(zip(figures, colours)):
            if not number:
                continue
            end = position(number)
            parts.append(f'<rect x="{left:.1f}" y="{row_top + j * bar:.1f}" width="{max(end - left, 1):.1f}" '
                         f'height="{bar - 1}" fill="{colour}"/>')
            parts.append(text(end + 3, row_top + j * bar + 5, short(number), 7, fill=FAINT))
    return parts, bottom - y


def lines(x, y, width, height, title, series):
    """A chart with two logarithmic scales; `series` is a list of (points, colour, dashed)."""
    points = [point for curve, _, _ in series for point in curve]
    parts = [text(x, y + 12, title, 12, weight="bold")]
    if not points:
        return parts
    ticks_x = decades(min(p[0] for p in points), max(p[0] for p in points))
    ticks_y = decades(min(p[1] for p in points), max(p[1] for p in points))
    if len(ticks_y) == 1:
        ticks_y.append(10 * ticks_y[0])
    left, right, top, bottom = x + 34, x + width - 12, y + 24, y + height - 22

    def at(point):
        def share(number, ticks):
            return (math.log10(number) - math.log10(ticks[0])) / (math.log10(ticks[-1]) - math.log10(ticks[0]))
        return left + share(point[0], ticks_x) * (right - left), bottom - share(point[1], ticks_y) * (bottom - top)

    for tick in ticks_x:
        tick_x, _ = at((tick, ticks_y[0]))
        parts += [line(tick_x, top, tick_x, bottom), text(tick_x, bottom + 13, short(tick), 9, "middle", FAINT)]
    for tick in ticks_y:
        _, tick_y = at((ticks_x[0], tick))
        parts += [line(left, tick_y, right, tick_y), text(left - 4, tick_y + 3, short(tick), 9, "end", FAINT)]
    for curve, colour, dashed in series:
        if not curve:
            continue
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in map(at, curve))
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"{dash}/>')
        parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="2.2" fill="{colour}"/>' for px, py in map(at, curve)]
    return parts


def legend(x, y, entries):
    """`entries` is a list of (colour, words); one line of them."""
    parts = []
    for colour, words in entries:
        parts.append(f'<rect x="{x:.1f}" y="{y - 9:.1f}" width="12" height="10" fill="{colour}"/>')
        parts.append(text(x + 17, y, words, 12))
        x += 30 + 6.6 * len(words)
    return parts


def picture(width, height, parts):
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height:.0f}" '
        f'viewBox="0 0 {width} {height:.0f}" {FONT}>',
        f'<rect width="{width}" height="{height:.0f}" fill="#ffffff"/>', *parts, "</svg>", ""])
