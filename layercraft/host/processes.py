"""Processes that never outlive their purpose.

Signals that would end this process wait while something is begun or tidied up, so that nothing is
left behind at whatever moment they come.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from types import FrameType

_PIECE = 1 << 16
_LAST = 1 << 16  # bytes that are kept of what a process writes on stderr
_GLANCE = 0.05  # seconds between two looks at a process whose pipe is open
_FAREWELL = 2.0  # seconds in which the pipes of an ended process must run dry
_ENDING = ("SIGINT", "SIGTERM", "SIGHUP")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended. `code` is negative for a signal; `err` are the last bytes of stderr.

    `timed_out` and `flooded` tell that it was ended for taking too long or for writing too much.
    """

    code: int
    out: bytes
    err: bytes
    timed_out: bool = False
    flooded: bool = False


def run(  # noqa: PLR0913 (what a process is started with)
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    timeout: float,
    folder: Path | None = None,
    stdin: bytes = b"",
    most_output: int = 1 << 20,
    heard: Callable[[bytes], None] = lambda _: None,
) -> Ended:
    """Run a command to its end, for at most `timeout` seconds and `most_output` bytes of stdout.

    It gets `stdin` as a file, this environment and no other, and a process group of its own, which
    is killed as a whole however this call ends. `heard` is given the pieces of stdout as they come,
    in another thread. Call it from the main thread, or signals end this process too early.

    Raises:
        OSError: the command cannot be started.
    """
    with deferred_signals() as deferral, tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        process = subprocess.Popen(  # noqa: S603 (to run commands is the purpose)
            list(map(str, command)),
            cwd=folder,
            env=dict(environment),
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            with deferral.lifted():
                return _attended(process, time.monotonic() + timeout, most_output, heard)
        finally:
            kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that leads its own session, with all children that stayed in its group."""
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):  # all ended before; macOS refuses for zombies
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def kill_labelled(label: str) -> None:
    """Kill all processes that were started with the text `label` in their environment, where /proc tells."""
    if not label or not sys.platform.startswith("linux"):
        return
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # ended meanwhile, or not ours
            if int(path.name) != os.getpid() and label.encode() in (path / "environ").read_bytes():
                os.kill(int(path.name), signal.SIGKILL)


def _attended(
    process: subprocess.Popen[bytes], end: float, most_output: int, heard: Callable[[bytes], None]
) -> Ended:
    out = _Reader(process.stdout, heard, most=most_output)
    err = _Reader(process.stderr, lambda _: None, last=_LAST)
    while not out.done.wait(_GLANCE) and process.poll() is None and time.monotonic() < end:
        pass  # a child of its own may hold the pipe open when it has ended
    timed_out = False
    try:
        process.wait(0 if out.flooded else max(0.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        timed_out = not out.flooded
    kill_group(process)
    for reader in (out, err):
        reader.done.wait(_FAREWELL)
    return Ended(
        code=process.returncode,
        out=bytes(out.data),
        err=bytes(err.data),
        timed_out=timed_out,
        flooded=out.flooded,
    )


class _Reader(threading.Thread):
    """Reads a pipe to its end; keeps at most the first `most` bytes, or only the `last` ones."""

    def __init__(
        self,
        pipe: IO[bytes] | None,
        heard: Callable[[bytes], None],
        *,
        most: int = sys.maxsize,
        last: int = sys.maxsize,
    ) -> None:
        super().__init__(name="layercraft-reader", daemon=True)
        self.data = bytearray()
        self.flooded = False
        self.done = threading.Event()
        self._pipe = pipe
        self._heard = heard
        self._most = most
        self._last = last
        self.start()

    def run(self) -> None:
        assert self._pipe is not None  # noqa: S101 (it was asked for)
        with self._pipe:
            while not self.flooded and (piece := os.read(self._pipe.fileno(), _PIECE)):
                self.data += piece
                self.flooded = len(self.data) > self._most
                del self.data[: -self._last]
                self._heard(piece)
        self.done.set()


class Deferral:
    """Signals that wait. See `deferred_signals`."""

    def __init__(self) -> None:
        self._handlers: dict[int, Callable[[int, FrameType | None], object] | int] = {}
        self._waiting: list[int] = []

    def hold(self) -> None:
        """Let the signals wait from now on. Only the main thread gets them, so others have no need to."""
        if threading.current_thread() is not threading.main_thread():
            return
        for name in _ENDING:
            number = getattr(signal, name, None)
            handler = signal.getsignal(number) if number is not None else None
            if number is not None and handler is not None and handler != signal.SIG_IGN:
                self._handlers[number] = handler
                signal.signal(number, lambda number, _: self._waiting.append(number))

    def release(self) -> None:
        """Let those that waited come through, and all others."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()
        while self._waiting:
            signal.raise_signal(self._waiting.pop(0))

    @contextmanager
    def lifted(self) -> Generator[None]:
        """Let signals through inside of the block."""
        try:
            self.release()
            yield
        finally:
            self.hold()

    def __enter__(self) -> Self:
        self.hold()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def deferred_signals() -> Deferral:
    """Give a context in which INT, TERM and HUP wait until it ends, or until a `lifted` block in it."""
    return Deferral()
