"""The application: commands joined, errors turned into lines and exit codes."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from typing import TYPE_CHECKING, NoReturn

import typer
from typer.exceptions import Abort, TyperException

from layercraft.console import Console
from layercraft.errors import InterruptionError, LayercraftError, OutputError, UsageError, reason_of

if TYPE_CHECKING:
    from types import FrameType

REPEATED = 2.0
"""Seconds in which a second signal is the same impatience, and must not disturb the tidying up."""

COMMANDS = {
    "build": "layers.build",
    "lock": "layers.lock",
    "plan": "forecasts.plan",
    "verify": "verification.verify",
    "publish": "publishing.publish",
    "analyze": "analysis.analyze",
    "diff": "comparison.diff",
    "list": "recipes.list_",
    "new": "recipes.new",
    "rules": "presets.rules",
    "convert": "conversion.convert",
    "cache": "caching.app",
}
"""The commands in the order of the help, each with its function or its own commands."""


def application(only: str = "") -> typer.Typer:
    """Make the application: of the one command that is named, which starts sooner, else of all."""
    app = typer.Typer(
        name="layercraft",
        help="AWS Lambda layers for Python packages: no Docker, no matching Python.",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name in [only] if only in COMMANDS else COMMANDS:
        module, _, attribute = COMMANDS[name].partition(".")
        command = getattr(import_module(f"layercraft.cli.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def _show_version(wanted: bool) -> None:  # noqa: FBT001 (typer calls it with the option's value)
    if wanted:
        from layercraft.inputs import tool_version

        typer.echo(f"layercraft {tool_version()}")
        raise typer.Exit


def _options(
    *,
    version: bool = typer.Option(
        False, "--version", "-V", help="Show the version and exit.", callback=_show_version, is_eager=True
    ),
) -> None:
    del version


def main() -> NoReturn:
    """Run the command line and end the process with its exit code.

    The process ends at once: threads that still wait for a slow server would keep it alive.
    """
    _prepare_streams()
    _listen_to_signals()
    code = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code)


def run(arguments: list[str]) -> int:
    """Run one command, and give the exit code.

    0 for success, 1 for a failed job, 2 for wrong usage or configuration, 3 where no engine could run what
    was to be run, 130 when interrupted.
    """
    console = Console(as_json="--json" in arguments, no_color=bool(os.environ.get("NO_COLOR")))
    try:
        app = application(only=arguments[0] if arguments else "")
        code = int(app(arguments or ["--help"], prog_name="layercraft", standalone_mode=False) or 0)
    except (KeyboardInterrupt, Abort):
        code = InterruptionError.exit_code
    except (LayercraftError, TyperException, OSError) as error:
        return _failed(console, error)
    if code == InterruptionError.exit_code:  # typer, too, turns KeyboardInterrupt into this code
        return _failed(console, InterruptionError("interrupted", hint="nothing is half-written"))
    return code


def _failed(console: Console, error: Exception) -> int:
    """Tell an error in one line and give its exit code."""
    match error:
        case LayercraftError():
            shown = error
        case TyperException():
            shown = UsageError(error.format_message(), hint="see `layercraft --help`")
        case BrokenPipeError():
            return 1  # whoever read our output has gone
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            shown = OutputError(f"{where}{reason_of(error)}")
        case _:
            raise error
    console.error(shown)
    return shown.exit_code


def _prepare_streams() -> None:
    """Make every text printable, and streams that the caller closed silent."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 (until the end)
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _listen_to_signals() -> None:
    """Turn signals into KeyboardInterrupt, but for those that the caller lets us ignore, as nohup does."""
    last = float("-inf")

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if last - before > REPEATED:
            raise KeyboardInterrupt

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)
