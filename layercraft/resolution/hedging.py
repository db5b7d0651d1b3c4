"""A second way to the same answer, tried where the first one is late."""

from __future__ import annotations

from concurrent.futures import Future, wait
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

from layercraft.errors import LayercraftError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def hedged(first: Callable[[], T], second: Callable[[], T], *, patience: float) -> T:
    """Give what `first` gives; after `patience` seconds without it, what `second` gives.

    A second way that fails with a `LayercraftError` is no way: the first one's answer, or its error,
    is waited for. The first goes on in a thread of its own, and nobody waits for it in vain.
    """
    answer: Future[T] = Future()
    Thread(target=_settle, args=(first, answer), name="hedged", daemon=True).start()
    wait([answer], patience)
    if not answer.done():
        with suppress(LayercraftError):
            return second()
    return answer.result()


def _settle(ask: Callable[[], T], answer: Future[T]) -> None:
    try:
        answer.set_result(ask())
    except BaseException as error:  # noqa: BLE001 (handed to the thread that waits for the answer)
        answer.set_exception(error)
