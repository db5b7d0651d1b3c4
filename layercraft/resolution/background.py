"""Jobs on threads that keep no process alive.

The threads of `concurrent.futures` are joined when the interpreter ends, so one slow server would hold
a process for as long as its requests may take. These are daemons: who no longer waits may leave.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_P = ParamSpec("_P")
_T = TypeVar("_T")

_Job = tuple["Future[Any]", "Callable[[], object]"]


class Background:
    """Runs jobs on up to `most` threads, which are started as they are needed."""

    def __init__(self, most: int, *, name: str) -> None:
        self._most = most
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._started = 0
        self._closed = False

    def submit(self, job: Callable[_P, _T], *arguments: _P.args, **options: _P.kwargs) -> Future[_T]:
        """Queue a job; what it gives or raises stands in the future. Cancelled at once when closed."""
        future: Future[_T] = Future()
        with self._lock:
            closed = self._closed
            if not closed:
                self._jobs.put((future, lambda: job(*arguments, **options)))
                self._start_thread()
        if closed:
            future.cancel()
        return future

    def close(self) -> None:
        """Cancel what waits. Threads end with the job they are at; nobody waits for them."""
        with self._lock:
            self._closed = True
        while True:
            try:
                waiting = self._jobs.get_nowait()
            except Empty:
                break
            if waiting:
                waiting[0].cancel()
        for _ in range(self._started):
            self._jobs.put(None)

    def _start_thread(self) -> None:
        if not self._idle.acquire(blocking=False) and self._started < self._most:
            self._started += 1
            threading.Thread(target=self._work, name=self._name, daemon=True).start()

    def _work(self) -> None:
        while (waiting := self._next()) is not None:
            future, job = waiting
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(job())
                except BaseException as error:  # noqa: BLE001 (handed to whoever asks the future)
                    future.set_exception(error)
            del waiting, future, job  # a waiting thread keeps nothing alive

    def _next(self) -> _Job | None:
        try:
            return self._jobs.get_nowait()
        except Empty:
            self._idle.release()
            return self._jobs.get()
