"""The command line: one function a command; everything that fails ends in one clear line."""

from __future__ import annotations

from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line and end the process with its exit code.

    Loading it takes a moment, in which Ctrl-C is to end in no traceback either.
    """
    try:
        from layercraft.cli.application import main as run
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    run()
