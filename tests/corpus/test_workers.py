"""Worker processes give what one process gives, in order, and say so when they are killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator

import pytest

from bbert.corpus.workers import WorkerDied, Workers
from bbert.errors import InputError


def square(number: int) -> int:
    time.sleep(0.02 * (number % 3 == 0))  # so that they are not done in order
    return number * number


def refuse_seven(number: int) -> int:
    if number == 7:
        raise InputError("line 7 is no good")
    return number


def kill_at_five(number: int) -> int:
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


class Panic(BaseException):
    """As a library in Rust raises it: no Exception, and of a module that nobody can import."""

    __module__ = "nowhere"


def panic_at_five(number: int) -> int:
    if number == 5:
        raise Panic("end byte index 9 is not a char boundary")
    return number


def end_at_five(number: int) -> int:
    if number == 5:
        raise SystemExit(3)
    return number


def knows_colorsys(_: int) -> bool:
    return "colorsys" in sys.modules


def swell(number: int) -> bytes:
    return bytes(number)


class Remembers:
    """Counts what its copy has seen."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, number: int) -> tuple[int, int]:
        self.seen += 1
        return os.getpid(), self.seen


@pytest.fixture(scope="module")
def two() -> Iterator[Workers]:
    with Workers(2) as workers:
        yield workers


@pytest.mark.parametrize("number", [0, 1, 2, 50])
def test_results_come_in_order(two: Workers, number: int):
    expected = [square(i) for i in range(number)]
    assert list(two.map(square, range(number), "squaring")) == expected
    assert list(Workers(1).map(square, range(number), "squaring")) == expected


def test_large_things_both_ways_do_not_block(two: Workers):
    sizes = [3_000_000] * 12
    assert [len(some) for some in two.map(swell, sizes, "swelling")] == sizes
    things = [bytes(size) for size in sizes]
    assert [len(some) for some in two.map(bytes, things, "copying")] == sizes


def test_a_copy_keeps_what_it_learns_within_one_map(two: Workers):
    for _ in range(2):
        seen = list(two.map(Remembers(), range(20), "remembering"))
        assert len({pid for pid, _ in seen}) == 2
        assert os.getpid() not in {pid for pid, _ in seen}
        largest = {pid: max(n for p, n in seen if p == pid) for pid, _ in seen}
        assert sum(largest.values()) == 20


def test_preparing_imports_and_changes_nothing(two: Workers):
    assert set(two.map(knows_colorsys, range(6), "looking")) == {False}
    import colorsys  # here, so that workers do not import it with this module

    two.prepare(colorsys.rgb_to_hsv)
    assert list(two.map(knows_colorsys, range(6), "looking")) == [True] * 6
    Workers(1).prepare(square)


def test_few_things_are_taken_ahead(two: Workers):
    taken = 0

    def things() -> Iterator[int]:
        nonlocal taken
        for taken in range(1, 101):  # noqa: UP028 - `taken` is what the test looks at
            yield taken

    for number, _ in enumerate(two.map(square, things(), "squaring")):
        assert taken - number <= 8


def test_an_error_comes_in_its_turn_and_the_workers_can_be_used_again(two: Workers):
    results = []
    with pytest.raises(InputError, match="line 7 is no good") as caught:
        for result in two.map(refuse_seven, range(20), "reading"):
            results.append(result)
    assert results == list(range(7))
    assert "refuse_seven" in "".join(caught.value.__notes__)
    assert list(two.map(square, range(5), "squaring")) == [0, 1, 4, 9, 16]


def test_a_panic_says_what_happened_and_the_workers_can_be_used_again(two: Workers):
    with pytest.raises(RuntimeError, match=r"^Panic: end byte index 9") as caught:
        list(two.map(panic_at_five, range(20), "making the final text of fr"))
    assert "panic_at_five" in "".join(caught.value.__notes__)
    assert list(two.map(square, range(5), "squaring")) == [0, 1, 4, 9, 16]


def test_a_worker_that_is_told_to_end_does(two: Workers):
    with pytest.raises(WorkerDied, match=r"ended \(exit code 3\) while reading"):
        list(two.map(end_at_five, range(20), "reading"))


def test_who_stops_listening_leaves_nothing_behind(two: Workers):
    for result in two.map(square, range(50), "squaring"):
        if result == 4:
            break
    assert list(two.map(refuse_seven, range(3), "reading")) == [0, 1, 2]


def test_a_killed_worker_is_an_error_that_says_what_was_done(two: Workers):
    with pytest.raises(WorkerDied) as caught:
        list(two.map(kill_at_five, range(20), "making the final text of en"))
    message = str(caught.value)
    assert "killed (signal 9, SIGKILL) while making the final text of en" in message
    assert "run the same command again" in message
    assert message.count("\n") == 1
    assert list(two.map(square, range(5), "squaring")) == [0, 1, 4, 9, 16]
