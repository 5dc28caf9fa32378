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


def test_square_brackets_and_colons_are_text():
    shown = "pieces [run-a, run-b] of [/x] [bold] :smile:"
    table = TerminalTable(shown, shown, [shown], [False], [[shown]], [False])
    words = " ".join(printed(table, 200).replace("┃", " ").replace("│", " ").split())
    assert words.count(shown) == 4, "title, heading, cell and caption"


def test_title_and_caption_keep_their_styles():
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=True, color_system="standard")
    console.print(TerminalTable("a title", "a note", ["a heading"], [False], [["x"]], [True]))
    assert "\x1b[3ma title" in stream.getvalue()
    assert "\x1b[2;3ma note" in stream.getvalue()
