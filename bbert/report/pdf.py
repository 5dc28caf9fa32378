"""A figure as PDF, from its SVG, for a paper: typst draws it, with its own fonts, offline.

The drawing knows no style sheet variables, so the light colours are put in their place. The same
figure gives the same bytes: the file carries no date.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

_DOCUMENT = """#set document(date: none)
#set page(width: auto, height: auto, margin: 0pt)
#image("figure.svg")
"""


def write_pdf(drawing: str, path: Path) -> None:
    """Write a standalone SVG as a page of its own size."""
    import typst

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "figure.svg").write_text(in_light_colours(drawing), encoding="utf-8")
        source = Path(folder) / "figure.typ"
        source.write_text(_DOCUMENT, encoding="utf-8")
        path.write_bytes(typst.compile(source, timestamp=0))


def in_light_colours(drawing: str) -> str:
    """The SVG with every style sheet variable replaced by its value in the light palette."""
    light = re.search(r":root\{([^}]*)\}", drawing)
    if light is None:
        return drawing
    variables = dict(re.findall(r"(--[\w-]+):([^;}]+)", light[1]))
    without_dark = re.sub(r"@media \(prefers-color-scheme:dark\)\{:root\{[^}]*\}\}", "", drawing)
    without = without_dark.replace(light[0], "", 1)
    return re.sub(r"var\((--[\w-]+)\)", lambda m: variables.get(m[1], m[0]), without)
