"""Tables as LaTeX and figures as PDF: what a paper needs beside the page."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest

from bbert.report.chart import Line, LineChart
from bbert.report.latex import escape, to_latex
from bbert.report.pdf import in_light_colours, write_pdfs
from bbert.report.svg import draw
from bbert.report.table import Cell, Column, Table

TABLE = Table(
    "t_1", "50 % of A & B", (Column("Row_1"), Column("Score", numeric=True)),
    ((Cell("a → b"), Cell("61.3 ± 0.4", 0.613)), (Cell("chance", emphasis="floor"), Cell("–"))),
    note="n < 5 #1",
)  # fmt: skip


def test_every_special_character_is_escaped():
    assert escape("a_b & 5 % {x} ± \\") == r"a\_b \& 5 \% \{x\} $\pm$ \textbackslash{}"


def test_a_table_has_its_columns_rules_and_note():
    text = to_latex(TABLE)
    assert r"\begin{tabular}{lr}" in text
    assert r"a $\to$ b & 61.3 $\pm$ 0.4 \\" in text
    assert r"\textit{chance} & -- \\" in text
    assert r"50 \% of A \& B" in text
    assert text.count(r"\\") == 3
    assert all(text.count(rf"\begin{{{name}}}") == text.count(rf"\end{{{name}}}") == 1
               for name in ("table", "tabular"))  # fmt: skip


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
def test_latex_accepts_the_table(tmp_path):
    document = (
        rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{to_latex(TABLE)}"
    )
    (tmp_path / "t.tex").write_text(document + r"\end{document}")
    subprocess.run(["pdflatex", "-interaction=batchmode", "t.tex"], cwd=tmp_path, check=True)


def test_a_figure_is_one_page_with_text_colours_and_the_same_bytes(tmp_path):
    lines = (Line("en", ((0, 7), (100, 3))),)
    chart = LineChart("figure-1", "Loss", "Loss over steps", "step", "loss", lines)
    drawing = draw(chart, standalone=True)
    other = draw(replace(chart, title="Another"), standalone=True)
    write_pdfs({tmp_path / "other.pdf": other, tmp_path / "a.pdf": drawing})
    write_pdfs({tmp_path / "b.pdf": drawing})
    content = (tmp_path / "a.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert content == (tmp_path / "b.pdf").read_bytes()
    assert b"/Font" in content or b"ObjStm" in content
    light = in_light_colours(drawing)
    assert "var(" not in light
    assert "prefers-color-scheme" not in light
    assert "#0068a8" in light


@pytest.mark.parametrize("name", ["[one] run", "*one* run"])
def test_the_first_cell_is_no_argument_of_the_line_before(name):
    r"""After `\\`, LaTeX takes a bracket on the next line for a length, and a star for its own."""
    table = replace(TABLE, rows=((Cell(name), Cell("1")), *TABLE.rows))
    assert f"\n{{}}{name} & 1" in to_latex(table)
