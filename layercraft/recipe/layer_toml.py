"""`layer.toml`: what a recipe says besides its requirements. Parsed purely, and read at the edge."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from layercraft.errors import ConfigurationError, UsageError, reason_of
from layercraft.recipe.extra_files import ExtraFile, read_extra_files
from layercraft.recipe.names import distribution_glob
from layercraft.recipe.options import BYTECODE, RUNTIME_PACKAGES
from layercraft.recipe.toml_table import TomlTable
from layercraft.spelling import suggestion
from layercraft.target import UNZIPPED_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

PRESETS = ("none", "safe", "small")
"""The named sets of cleanup rules that `cleanup.preset` may name."""

DESCRIPTION_LIMIT = 256
"""Characters of a layer version's Description (PublishLayerVersion API)."""

LICENSE_LIMIT = 512
"""Characters of a layer version's LicenseInfo (PublishLayerVersion API)."""

_UNITS = {"bytes": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(bytes|kb|mb|gb)", re.IGNORECASE)
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleanup:
    """`[cleanup]`: which files stay out of the layer."""

    preset: str | None = None
    """One of PRESETS; None when the file does not say."""

    remove: tuple[str, ...] = ()
    """gitignore-style globs, relative to `python/`."""

    bytecode: str | None = None
    """One of BYTECODE; None when the file does not say."""

    keep: tuple[str, ...] = ()
    """Globs that win over `remove` and over the preset."""

    strip: bool | None = None
    """Take debug symbols out of compiled files; None when the file does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """`[verify]`: how to see that the layer works."""

    imports: tuple[str, ...] = ()
    """Modules that must import."""

    script: str | None = None
    """A script that must end with exit code 0, relative to the recipe's folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`[limits]`: sizes that the layer must stay under."""

    unzipped: int | None = None
    """Bytes; None for Lambda's own limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFile:
    """All that a `layer.toml` says; without one, all that is left to the defaults."""

    description: str | None = None
    license: str | None = None
    """An SPDX expression."""

    exclude: tuple[str, ...] = ()
    """Globs on normalized distribution names: what matches stays out of the layer."""

    runtime_packages: str | None = None
    """One of RUNTIME_PACKAGES; None when the file does not say."""

    keep_gpu: bool = False
    """Distributions that only a GPU could make use of stay."""

    cleanup: Cleanup = field(default_factory=Cleanup)
    verify: Verify = field(default_factory=Verify)
    limits: Limits = field(default_factory=Limits)
    files: tuple[ExtraFile, ...] = ()
    """Files that the layer gets besides those of its wheels."""


def parse_layer_toml(text: str, *, source: str) -> LayerFile:
    """Parse a `layer.toml`; `source` names it in messages.

    Raises:
        ConfigurationError: broken TOML with its line, or every wrong key, a line for each: its path
            (`cleanup.remov`), what was expected, and the nearest known key or value.
    """
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers and nesting that Python cannot read
        raise ConfigurationError(_syntax_problem(text, source, error)) from error
    table = TomlTable(values)
    file = _layer_file(table)
    table.refuse_unknown()
    if table.problems:
        raise ConfigurationError("\n".join(f"{source}: {problem}" for problem in table.problems))
    return file


def read_layer_toml(path: Path) -> LayerFile:
    """Read and parse the `layer.toml` at `path`.

    Raises:
        ConfigurationError: it cannot be read, is not UTF-8, or is wrong as parse_layer_toml says.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {reason_of(error)}") from error
    except UnicodeDecodeError as error:
        number = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"{path}, line {number}: the bytes are not UTF-8", hint="TOML files are UTF-8"
        ) from error
    return parse_layer_toml(text, source=str(path))


def parse_size(text: str) -> int:
    """Give the bytes of "230 MB", "0.5 GB" or "1000 bytes"; a KB is 2^10 bytes, an MB 2^20, as AWS counts.

    Raises:
        ValueError: not a size.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a size")
    try:
        return int(float(match[1]) * _UNITS[match[2].lower()])
    except OverflowError as error:
        raise ValueError("no number has so many digits") from error


def _layer_file(table: TomlTable) -> LayerFile:
    """Take all known keys out of the table; what is wrong with them stays with the table."""
    cleanup, verify, limits = (table.table(key) for key in ("cleanup", "verify", "limits"))
    return LayerFile(
        description=table.string("description", _at_most(DESCRIPTION_LIMIT)),
        license=table.string("license", _at_most(LICENSE_LIMIT)),
        exclude=tuple(map(distribution_glob, table.strings("exclude", _distribution_glob))),
        runtime_packages=table.string("runtime-packages", _one_of(RUNTIME_PACKAGES, "choice")),
        keep_gpu=bool(table.boolean("keep-gpu")),
        cleanup=Cleanup(
            preset=cleanup.string("preset", _one_of(PRESETS, "preset")),
            remove=cleanup.strings("remove", _file_glob),
            keep=cleanup.strings("keep", _file_glob),
            strip=cleanup.boolean("strip"),
            bytecode=cleanup.string("bytecode", _one_of(BYTECODE, "choice")),
        ),
        verify=Verify(
            imports=verify.strings("imports", _module),
            script=verify.string("script", _script),
        ),
        limits=Limits(unzipped=_unzipped(limits)),
        files=read_extra_files(table.table("files")),
    )


def _unzipped(limits: TomlTable) -> int | None:
    size = limits.number("unzipped", parse_size, expected='a size such as "230 MB", or bytes')
    if size is not None and not 0 < size <= UNZIPPED_LIMIT:
        limits.refuse(
            "unzipped", f"expected at most {UNZIPPED_LIMIT:,} bytes, Lambda's own limit, got {size:,}"
        )
    return size


def _at_most(limit: int) -> Callable[[str], str | None]:
    """Make a check of a text's length in characters."""
    return lambda text: (
        None if len(text) <= limit else f"expected {limit} characters at most, got {len(text)}"
    )


def _one_of(known: Sequence[str], kind: str) -> Callable[[str], str | None]:
    """Make a check of a text that must be one of several."""

    def check(text: str) -> str | None:
        if text in known:
            return None
        return f'unknown {kind} "{text}"' + (suggestion(text, known) or f"; known: {', '.join(known)}")

    return check


def _distribution_glob(text: str) -> str | None:
    try:
        distribution_glob(text)
    except UsageError as error:
        return error.message
    return None


def _file_glob(text: str) -> str | None:
    """Refuse the gitignore lines that match nothing or that undo others."""
    if text.startswith("!"):
        return f'"{text}": what shall stay goes to cleanup.keep'
    if not text.strip(" /") or text.startswith("#") or text.endswith("\\"):
        return f'"{text}" matches nothing'
    return None


def _module(text: str) -> str | None:
    return None if all(map(str.isidentifier, text.split("."))) else f'"{text}" is not a module\'s name'


def _script(text: str) -> str | None:
    path = PurePosixPath(text)
    inside = text and not path.is_absolute() and ".." not in path.parts
    return None if inside else f'"{text}" is not a path inside the recipe\'s folder'


def _syntax_problem(text: str, source: str, error: Exception) -> str:
    """Say what is wrong with the TOML, the line first."""
    message = str(error)
    place = _TOML_PLACE.search(message)
    line = place[1] if place and place[1] else str(len(text.splitlines()) or 1)
    return f"{source}, line {line}: not valid TOML: {_TOML_PLACE.sub('', message)}"
