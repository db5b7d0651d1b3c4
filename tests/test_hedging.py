"""Two ways to one answer."""

from __future__ import annotations

import time
from threading import Event

import pytest

from layercraft.errors import IndexUnreachableError, UnknownPackageError
from layercraft.resolution.hedging import hedged

LONG = 5.0  # seconds


def never() -> str:
    raise AssertionError("the second way was taken")


def failing() -> str:
    raise IndexUnreachableError("the second way is closed")


def test_an_answer_in_time_is_the_only_one_asked_for() -> None:
    assert hedged(lambda: "first", never, patience=LONG) == "first"


def test_a_late_answer_is_overtaken() -> None:
    held = Event()
    began = time.monotonic()

    def late() -> str:
        held.wait(LONG)
        return "first"

    assert hedged(late, lambda: "second", patience=0.01) == "second"
    assert time.monotonic() - began < LONG
    held.set()


def test_a_late_answer_is_waited_for_where_the_second_way_fails() -> None:
    def late() -> str:
        time.sleep(0.1)
        return "first"

    assert hedged(late, failing, patience=0.01) == "first"


def test_a_late_answer_that_overtakes_the_second_way_is_taken() -> None:
    held = Event()

    def late() -> str:
        time.sleep(0.1)
        return "first"

    def stuck() -> str:
        held.wait(LONG)
        return "second"

    began = time.monotonic()
    assert hedged(late, stuck, patience=0.01) == "first"
    assert time.monotonic() - began < LONG
    held.set()


def test_a_first_way_that_ends_late_and_nowhere_leaves_it_to_the_second() -> None:
    asked = Event()

    def nowhere() -> None:
        asked.wait(LONG)

    def slow() -> str:
        asked.set()
        time.sleep(0.1)
        return "second"

    assert hedged(nowhere, slow, patience=0.01) == "second"


def test_a_first_way_that_ends_in_time_and_nowhere_is_the_answer() -> None:
    assert hedged(lambda: None, never, patience=LONG) is None


@pytest.mark.parametrize("delay", [0, 0.1])
def test_the_error_is_that_of_the_first_way(delay: float) -> None:
    def wrong() -> str:
        time.sleep(delay)
        raise UnknownPackageError("no such package")

    with pytest.raises(UnknownPackageError):
        hedged(wrong, failing, patience=0.01)
