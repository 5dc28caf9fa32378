import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bbert.report.terminal import TerminalTable


def printed(table: TerminalTable, width: int) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(table)
    return stream.getvalue()


@given(width=st.integers(60, 200), num_columns=st.integers(1, 20))
def test_no_number_is_cut_and_no_line_too_long(width: int, num_columns: int):
    numbers = [f"{81 + 7 * i}.4 ± 3.{i}" for i in range(num_columns)]
    table = TerminalTable(
        "Scores", "over three seeds", ["model", *(f"language {i}" for i in range(num_columns))],
        [False, *[True] * num_columns], [["a-model", *numbers]], [False],
    )  # fmt: skip
    text = printed(table, width)
    assert all(number in text for number in numbers)
    assert max(map(len, text.splitlines())) <= width
    parts = text.count("┏")
    assert text.count("a-model") == parts, "every part says of what it is"
    assert text.count("over three seeds") == 1
    assert text.count("(goes on)") == parts - 1


def test_a_table_that_fits_is_one():
    table = TerminalTable("T", "", ["a", "b"], [False, True], [["x", "1"]], [True])
    assert printed(table, 80).count("┏") == 1
    assert printed(TerminalTable("T", "", ["a"], [False], [], []), 80).count("┏") == 1
