"""A second way to the same answer, tried where the first one is late."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

from layercraft.errors import LayercraftError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def hedged(first: Callable[[], T | None], second: Callable[[], T], *, patience: float) -> T | None:
    """Give what `first` gives; after `patience` seconds without it, what the faster of both gives.

    None is the answer of a first way that leads nowhere: in time it is given as it is, and late it lets
    the second way go on. A second way that fails with a `LayercraftError` is no way either: the first
    one's answer, or its error, is waited for. Each way is a thread of its own as soon as there are two,
    and nobody waits for the slower one in vain.
    """
    answer = _asked(first)
    wait([answer], patience)
    if answer.done():
        return answer.result()
    other: Future[T | None] = _asked(second)
    wait([answer, other], return_when=FIRST_COMPLETED)
    if answer.done() and answer.exception() is None and answer.result() is not None:
        return answer.result()
    with suppress(LayercraftError):
        return other.result()
    return answer.result()


def _asked(ask: Callable[[], T]) -> Future[T]:
    answer: Future[T] = Future()
    Thread(target=_settle, args=(ask, answer), name="hedged", daemon=True).start()
    return answer


def _settle(ask: Callable[[], T], answer: Future[T]) -> None:
    try:
        answer.set_result(ask())
    except BaseException as error:  # noqa: BLE001 (handed to the thread that waits for the answer)
        answer.set_exception(error)
