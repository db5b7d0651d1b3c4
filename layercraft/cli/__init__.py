"""The command line: one function a command; everything that fails ends in one clear line."""

from __future__ import annotations

import gc
import sys
from typing import NoReturn

__all__ = ["main"]

UNUSED = ("httpx._main", "trio", "h2")
"""What httpx and httpcore import wherever it is installed, and layercraft has no use for: httpx's own
command line with rich and pygments, another kind of threads, HTTP/2. All of them take 0.1 s."""


def main() -> NoReturn:
    """Run the command line and end the process with its exit code.

    Loading it takes a moment, in which Ctrl-C is to end in no traceback either.
    """
    try:
        _start_sooner()
        from layercraft.cli.application import main as run
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    run()


def _start_sooner() -> None:
    """Spare this process, which is layercraft's alone, what it gains nothing from."""
    gc.set_threshold(400_000)  # a short life with many values that stay: collecting finds next to nothing
    for name in UNUSED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # as if it were not installed
