"""Options that several commands share, each declared once, and what they become."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from layercraft.console import Console
from layercraft.errors import UsageError
from layercraft.host.trust import trusted
from layercraft.sources import IndexApi, Sources, open_sources
from layercraft.spelling import suggestion
from layercraft.target import DEFAULT_ARCHITECTURE, DEFAULT_RUNTIME, Target

Runtime = Annotated[
    str | None,
    typer.Option(
        "-r",
        "--runtime",
        metavar="VERSION",
        help=f"Lambda runtime: {DEFAULT_RUNTIME} (default), 3.12, python3.12, py312.",
    ),
]
Architecture = Annotated[
    str | None,
    typer.Option("-a", "--arch", metavar="ARCH", help="x86_64 (default, amd64) or arm64 (aarch64)."),
]
Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME]...", help="Recipes: ./layers first, then those that come with layercraft."
    ),
]
Require = Annotated[
    list[str] | None,
    typer.Option("--require", metavar="REQUIREMENT", help='A requirement, such as "pandas>=2". Repeatable.'),
]
Requirements = Annotated[
    Path | None,
    typer.Option("--requirements", metavar="FILE", help="A requirements file, as pip knows it."),
]
Constraint = Annotated[
    Path | None, typer.Option("-c", "--constraint", metavar="FILE", help="A file of constraints.")
]
LayerName = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="The layer's name, with --require or --requirements."),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="GLOB", help="Keep these distributions out. Repeatable."),
]
LockFile = Annotated[
    Path | None, typer.Option("--lock", metavar="FILE", help="Build exactly this PEP 751 lock file.")
]
Preset = Annotated[
    str | None,
    typer.Option("--preset", metavar="NAME", help="Cleanup preset: safe, small, or none for all files."),
]
Strip = Annotated[
    bool | None,
    typer.Option("--strip/--no-strip", help="Take debug symbols out of compiled files, or not."),
]
RuntimePackages = Annotated[
    str | None,
    typer.Option(
        "--runtime-packages",
        metavar="CHOICE",
        help="boto3 and what else Lambda brings: auto, include or exclude.",
    ),
]
KeepGpu = Annotated[
    bool, typer.Option("--keep-gpu", help="Keep what only a GPU could make use of, such as nvidia-*.")
]
Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Also write a page with a treemap, for any browser."),
]
Bytecode = Annotated[
    str | None,
    typer.Option("--bytecode", metavar="MODE", help="none, unchecked-hash (beside the sources) or only."),
]
Output = Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for what is made.")]
IndexUrl = Annotated[
    str | None,
    typer.Option(
        "--index-url", metavar="URL", envvar="LAYERCRAFT_INDEX_URL", help="Another index than PyPI."
    ),
]
IndexApiOption = Annotated[
    str,
    typer.Option(
        "--index-api", metavar="API", envvar="LAYERCRAFT_INDEX_API", help="json (PyPI's) or simple (PEP 691)."
    ),
]
CacheDir = Annotated[
    Path | None,
    typer.Option("--cache-dir", metavar="DIR", envvar="LAYERCRAFT_CACHE_DIR", help="Folder of the cache."),
]
Offline = Annotated[bool, typer.Option("--offline", help="Use the cache only, never the network.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No notes and no progress.")]
Top = Annotated[int, typer.Option("-t", "--top", min=1, metavar="N", help="Entries in each list.")]
Region = Annotated[
    list[str] | None,
    typer.Option("--region", metavar="REGION", help='An AWS region to publish in, or "all". Repeatable.'),
]
Profile = Annotated[
    str | None, typer.Option("--profile", metavar="NAME", help="A profile of your AWS configuration.")
]
Bucket = Annotated[
    str | None,
    typer.Option(
        "-b",
        "--bucket",
        metavar="BUCKET",
        help="Where a zip over 50 MB lies while it is published; {region} stands for each region.",
    ),
]
Role = Annotated[
    str | None,
    typer.Option("--role", metavar="ARN", help="What the temporary function of the lambda engine runs as."),
]
Snippet = Annotated[
    str | None,
    typer.Option(
        "--snippet", metavar="KIND", help="Print text that uses it: sam, cdk, terraform, serverless or cli."
    ),
]

OUTPUT = Path("outputs")


def console_for(*, as_json: bool, quiet: bool = False) -> Console:
    """Make the console of one command."""
    return Console(as_json=as_json, quiet=quiet, no_color=bool(os.environ.get("NO_COLOR")))


def read_target(
    runtime: str | None, architecture: str | None, console: Console, lock: Path | None = None
) -> Target:
    """Read the target, and warn about a runtime that is deprecated or a preview.

    What is not given is taken from the lock, where layercraft made it; else it is the default.

    Raises:
        UsageError: runtime or architecture is unknown.
        BadLockError: the lock cannot be read.
    """
    from datetime import UTC, datetime

    from layercraft.resolution.lockfile import recorded_target

    recorded = (recorded_target(lock) if lock else None) or (DEFAULT_RUNTIME, DEFAULT_ARCHITECTURE)
    target = Target.parse(runtime or recorded[0], architecture or recorded[1])
    warning = target.runtime.warning(datetime.now(UTC).date())
    if warning:
        console.warning(warning)
    return target


def python_roots() -> tuple[Path, Path]:
    """Give where pyenv and uv keep their Pythons for this user."""
    return (
        Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv"),
        Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or Path.home() / ".local/share/uv/python"),
    )


def refuse_unknown(option: str, value: str | None, known: Sequence[str]) -> None:
    """Refuse a value that is none of those that an option takes.

    Raises:
        UsageError: the message names the nearest, the hint has all.
    """
    if value is not None and value not in known:
        raise UsageError(
            f"{option} {value}: no such choice{suggestion(value, known)}",
            hint=f"take {', '.join(known)}",
        )


def refuse_several(option: str, value: object, count: int) -> None:
    """Refuse an option that is for one layer, where several are to be made or read.

    Raises:
        UsageError: the option has a value, and there are several.
    """
    if value and count > 1:
        raise UsageError(f"{option} takes one layer, and several were named", hint="take them one by one")


def refuse_over(option: str, path: Path | None, others: Iterable[Path]) -> None:
    """Refuse to write a file over another that the command reads or writes.

    Raises:
        UsageError: `path` is one of the others.
    """
    if path is not None and os.path.realpath(path) in {os.path.realpath(other) for other in others}:
        raise UsageError(f"{option} {path} would write over the layer's own file", hint="name another file")


@contextmanager
def sources(
    index_url: str | None, index_api: str, cache_dir: Path | None, *, offline: bool
) -> Generator[Sources]:
    """Open the index, its files and the cache.

    Raises:
        UsageError: no such API.
    """
    refuse_unknown("--index-api", index_api, get_args(IndexApi))
    with open_sources(
        cache_dir=cache_dir,
        index_url=index_url,
        index_api=cast("IndexApi", index_api),
        offline=offline,
        trusted=partial(trusted, os.environ),
    ) as opened:
        yield opened
