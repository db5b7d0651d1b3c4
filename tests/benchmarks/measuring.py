"""Commands run and measured: wall-clock seconds, peak memory, the median of several runs."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Mapping, Sequence

STALL = 3.0
"""A run that takes this many times the median of its series is a stall of the network, not a figure."""
MB = 1 << 20
CERTIFICATES = ("_CERT", "_CERTS", "_TLS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One process that has ended: wall-clock `seconds`, `peak` resident memory in bytes, what it said."""

    seconds: float
    peak: int
    code: int
    output: str
    errors: str


@dataclass(frozen=True, slots=True)
class Series:
    """The wall-clock seconds of the same thing done several times."""

    seconds: Sequence[float]

    @property
    def median(self) -> float:
        """The middle one of all runs, stalls included."""
        return median(self.seconds)

    @property
    def stalls(self) -> list[float]:
        """The runs that took more than `STALL` times the median."""
        return [seconds for seconds in self.seconds if seconds > STALL * self.median]

    def __str__(self) -> str:
        stalls = ", ".join(f"{seconds:.1f}" for seconds in self.stalls)
        return f"{self.median:.2f}" + (f" (stall: {stalls})" if stalls else "")


@dataclass(slots=True)
class Bench:
    """A folder for everything that is made, and the one way to run a command."""

    folder: Path
    environment: Mapping[str, str]
    _made: int = field(default=0, init=False)

    def fresh(self, label: str) -> Path:
        """Give an empty folder that nothing else uses."""
        self._made += 1
        path = self.folder / f"{self._made}-{label}"
        path.mkdir()
        return path

    @contextmanager
    def brief(self, label: str) -> Generator[Path]:
        """Give an empty folder that is gone afterwards; its removal is no part of any figure."""
        path = self.fresh(label)
        try:
            yield path
        finally:
            shutil.rmtree(path)

    def run(self, command: Sequence[str], folder: Path | None = None) -> Run:
        """Run a command to its end and measure it; a failure is the caller's to judge."""
        with TemporaryFile() as output, TemporaryFile() as errors:
            start = time.perf_counter()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                cwd=folder or self.folder,
                env=self.environment,
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            said = [_text(stream) for stream in (output, errors)]
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return Run(seconds=seconds, peak=peak, code=process.returncode, output=said[0], errors=said[1])

    def measure(self, command: Sequence[str], folder: Path | None = None) -> Run:
        """Run a command that must succeed.

        Raises:
            SystemExit: it failed; the message holds the command and what it said.
        """
        run = self.run(command, folder)
        if run.code:
            raise SystemExit(f"exit {run.code}: {' '.join(command)}\n{run.output}{run.errors}")
        return run


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode(errors="replace")


@contextmanager
def open_bench() -> Generator[Bench]:
    """Open a bench in a temporary folder, apart from the machine's own pip, uv and layercraft settings."""
    with TemporaryDirectory(prefix="layercraft-benchmark-") as folder:
        yield Bench(folder=Path(folder), environment=isolated(os.environ))


def isolated(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out what points the tools to other indexes, caches or settings; certificates stay.

    PYTHONDONTWRITEBYTECODE and its like go too: a tool that is installed has its bytecode.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if name == "PYTHONPATH"
        or not name.startswith(("PIP_", "UV_", "LAYERCRAFT_", "PYTHON"))
        or (name.startswith(("PIP_", "UV_")) and name.endswith(CERTIFICATES))
    }
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "NO_COLOR": "1"}


def interleaved(jobs: Mapping[str, Callable[[], float]], runs: int) -> dict[str, Series]:
    """Do all jobs `runs` times in turns, so that a slow minute of the network meets all of them."""
    seconds: dict[str, list[float]] = {label: [] for label in jobs}
    for _ in range(runs):
        for label, job in jobs.items():
            seconds[label].append(job())
    return {label: Series(taken) for label, taken in seconds.items()}


def machine() -> str:
    """Say in one line when and on what the figures were taken."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores, {memory:.0f} GB, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: Collection[int] = (0,)) -> str:
    """Align rows as a Markdown table; all columns but those named in `left` stand to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        aligned = [
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(aligned)} |"

    rule = [
        ":" + "-" * (width - 1) if column in left else "-" * (width - 1) + ":"
        for column, width in enumerate(widths)
    ]
    return "\n".join(line(cells) for cells in (head, rule, *rows))


def verdict(missed: Sequence[str]) -> int:
    """Print which targets were missed, and give the exit code."""
    for line in missed:
        print(f"missed: {line}")
    if not missed:
        print("all targets met")
    return 1 if missed else 0
