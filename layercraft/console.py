"""The only place that prints: results on stdout, everything else on stderr.

Colours are left out where the stream is no terminal or NO_COLOR is set. Under `--json`, stdout
holds one JSON document and nothing else.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal, TextIO

from layercraft.errors import LayercraftError, OutputError, reason_of
from layercraft.layer.sizes import human_size

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from layercraft.events import Progress

PATIENCE = 1.0
"""Seconds for which a job that is not shown on a terminal stays silent."""
INTERVAL = 5.0
"""Seconds between two plain lines of one job."""
STYLES = {"error": "31;1", "warning": "33", "note": "2", "good": "32", "title": "1", "hint": "36"}


class Console:
    """Prints for people, or for programs when `as_json` is set."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False, no_color: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self._no_color = no_color

    def out(self, text: str = "") -> None:
        """Print a line of the result.

        Raises:
            OutputError: stdout cannot be written.
            BrokenPipeError: whoever read it has gone.
        """
        if not self.as_json:
            _print(text)

    def document(self, value: object) -> None:
        """Print the one JSON document of `--json`, in ASCII. Raises what `out` raises."""
        _print(json.dumps(value, indent=2))

    def styled(self, text: str, style: str, stream: TextIO | None = None) -> str:
        """Give the text with its colour, where the stream (stdout) shows colours."""
        stream = stream or sys.stdout
        if self._no_color or not stream.isatty():
            return text
        return f"\033[{STYLES[style]}m{text}\033[0m"

    def notice(self, text: str) -> None:
        """Tell a fact worth a line."""
        if not self.quiet:
            self._say("note", text)

    def warning(self, text: str) -> None:
        """Tell a fact that the user should act on."""
        self._say("warning", text)

    def error(self, error: LayercraftError) -> None:
        """Tell what failed and what to do; as the JSON document under `--json`."""
        if self.as_json:
            with suppress(LayercraftError, BrokenPipeError):
                self.document({"error": error_document(error)})
                return
        self._say("error", error.message)
        if error.hint:
            self._say("hint", error.hint)

    def shades(self) -> tuple[str, str]:
        """Give the two characters of a gauge, full and empty, that stdout can show."""
        try:
            "█░".encode(sys.stdout.encoding or "ascii")
        except UnicodeEncodeError:
            return "#", "-"
        return "█", "░"

    def _say(self, label: str, text: str) -> None:
        with suppress(OSError):  # nobody is left to be told
            print(f"{self.styled(label, label, sys.stderr)}: {text}", file=sys.stderr, flush=True)

    @contextmanager
    def progress(self, label: str, total: int | None, unit: Literal["bytes", "items"]) -> Generator[Progress]:
        """Show a running job: a bar on a terminal, else a line now and then if it takes long."""
        if self.quiet:
            yield _Lines(label, total, unit, patience=float("inf"))
        elif sys.stderr.isatty():
            with _bar(label, total, unit) as bar:
                yield bar
        else:
            yield _Lines(label, total, unit)


class _Lines:
    """Progress as plain lines, for logs."""

    def __init__(self, label: str, total: int | None, unit: str, *, patience: float = PATIENCE) -> None:
        self._label = label
        self._total = total
        self._unit = unit
        self._done = 0
        self._next = time.monotonic() + patience

    def advance(self, amount: int) -> None:
        self._done += amount
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + INTERVAL
        end = f" of {self._amount(self._total)}" if self._total else ""
        with suppress(OSError):
            print(f"{self._label}: {self._amount(self._done)}{end}", file=sys.stderr, flush=True)

    def _amount(self, count: int) -> str:
        return human_size(count) if self._unit == "bytes" else f"{count:,}"


@contextmanager
def _bar(label: str, total: int | None, unit: str) -> Generator[Progress]:
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    amount = DownloadColumn(binary_units=True) if unit == "bytes" else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    with RichProgress(*columns, console=RichConsole(stderr=True), transient=True) as shown:
        task = shown.add_task(label, total=total)

        class Bar:
            def advance(self, amount: int) -> None:
                shown.advance(task, amount)

        yield Bar()


def _print(text: str) -> None:
    try:
        print(text, file=sys.stdout, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"stdout cannot be written: {reason_of(error)}") from error


def error_document(error: LayercraftError) -> dict[str, str | None]:
    """Give an error as JSON values."""
    return {"kind": type(error).__name__, "message": error.message, "hint": error.hint}


def columns(rows: Sequence[Sequence[str]], *, left: Sequence[int] = (0,)) -> list[str]:
    """Align rows into columns, to the right but for the columns named in `left`.

    What cannot be printed is escaped: names in archives may hold what a terminal obeys.
    """
    rows = [[_printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    return [
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
