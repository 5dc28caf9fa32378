"""A figure as PDF, from its SVG, for a paper: typst draws it, with its own fonts, offline.

The drawing knows no style sheet variables, so the light colours are put in their place. The same
figure gives the same bytes: the file carries no date.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

_DOCUMENT = """#set document(date: none)
#set page(width: auto, height: auto, margin: 0pt)
#image("NAME.svg")
"""


def write_pdfs(drawings: Mapping[Path, str]) -> None:
    """Write standalone SVGs, each as a page of its own size.

    One compiler draws all of them: to look for the machine's fonts takes longer than a figure.
    """
    import typst

    with tempfile.TemporaryDirectory() as folder:
        compiler = typst.Compiler(root=folder)
        for number, (path, drawing) in enumerate(drawings.items()):
            name = f"figure-{number}"  # a name of its own: the compiler remembers what it has read
            (Path(folder) / f"{name}.svg").write_text(in_light_colours(drawing), encoding="utf-8")
            source = Path(folder) / f"{name}.typ"
            source.write_text(_DOCUMENT.replace("NAME", name), encoding="utf-8")
            content = compiler.compile(source, timestamp=0)
            assert isinstance(content, bytes)  # one document, not one file a page
            path.write_bytes(content)


def in_light_colours(drawing: str) -> str:
    """The SVG with every style sheet variable replaced by its value in the light palette."""
    light = re.search(r":root\{([^}]*)\}", drawing)
    if light is None:
        return drawing
    variables = dict(re.findall(r"(--[\w-]+):([^;}]+)", light[1]))
    without_dark = re.sub(r"@media \(prefers-color-scheme:dark\)\{:root\{[^}]*\}\}", "", drawing)
    without = without_dark.replace(light[0], "", 1)
    return re.sub(r"var\((--[\w-]+)\)", lambda m: variables.get(m[1], m[0]), without)
