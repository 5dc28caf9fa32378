"""A table as LaTeX: `tabular` with the rules of booktabs, ready for `\\input`."""

from __future__ import annotations

from bbert.report.table import NOTHING, Table

_ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "±": r"$\pm$", "−": "$-$", "→": r"$\to$", "≥": r"$\geq$", "≤": r"$\leq$", "×": r"$\times$",
    "…": r"\dots{}", "–": "--", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip


def to_latex(table: Table) -> str:
    """The table with caption, label and note; numbers are set flush right, floors in italics.

    Needs `\\usepackage{booktabs}`, and for scripts other than Latin a Unicode engine.
    """
    alignment = "".join("r" if column.numeric else "l" for column in table.columns)
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        rf"\caption{{{escape(table.caption)}}}",
        rf"\label{{tab:{table.identifier}}}",
        rf"\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        _row([escape(column.header) for column in table.columns]),
        r"\midrule",
    ]
    for row in table.rows:
        cells = [escape(cell.text) if cell.text != NOTHING else "--" for cell in row]
        floors = [cell.emphasis == "floor" for cell in row]
        lines.append(_row([rf"\textit{{{text}}}" if floor else text
                           for text, floor in zip(cells, floors, strict=True)]))  # fmt: skip
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\footnotesize {escape(text)}"
              for text in (table.note, table.definitions) if text]  # fmt: skip
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def escape(text: str) -> str:
    """Text that LaTeX sets as it is."""
    return "".join(_ESCAPES.get(character, character) for character in text)


def _row(cells: list[str]) -> str:
    """One line; after the `\\\\` of the one before, a bracket or a star would be its argument."""
    guard = "{}" if cells[0].startswith(("[", "*")) else ""
    return guard + " & ".join(cells) + r" \\"
