"""Text in figures: how wide it is about, and how a label is made to fit its room."""

from __future__ import annotations

from html import escape

_NARROW, _WIDE = "fijlrt.,:;()[]|-' ", "mwMW%…"


def text_at(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    """A `<text>` element; `anchor` is which of its ends, or its middle, is at `x`."""
    style = f' class="{kind}"' if kind else ""
    return f'<text{style} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def short_number(value: float) -> str:
    """A tick's number: 1500 → "1,500", 20000 → "20k", 2000000 → "2M", 0.05 → "0.05"."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:g}M"
    if abs(value) >= 1e4:
        return f"{value / 1e3:g}k"
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def width_of(label: str) -> float:
    """About how wide a label is, rather too wide: 13.5 pixels of a sans-serif."""
    return sum(4.9 if c in _NARROW else 12.5 if c in _WIDE else 8.6 for c in label)


def fitting(label: str, room: float) -> str:
    """The label with its middle left out where it is wider than `room`: both ends tell apart."""
    if width_of(label) <= room:
        return label
    first, last = label[: len(label) // 2], label[len(label) // 2 :]
    while width_of(f"{first}…{last}") > room and len(first) + len(last) > 2:
        first, last = (first[:-1], last) if len(first) > len(last) else (first, last[1:])
    return f"{first}…{last}"


def lines_of(label: str, room: float) -> list[str]:
    """The label as it is, or in two lines: the first as full as it can be."""
    blanks = [place for place, letter in enumerate(label) if letter == " "]
    if width_of(label) <= room or not blanks:
        return [fitting(label, room)]
    broken = [(label[:place], label[place + 1 :]) for place in reversed(blanks)]
    longest = [max(map(width_of, lines)) for lines in broken]
    whole = (lines for lines, width in zip(broken, longest, strict=True) if width <= room)
    chosen = next(whole, broken[longest.index(min(longest))])
    return [fitting(line, room) for line in chosen]
