"""The digest of everything that decides a layer's bytes, so that a build can be skipped safely."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from layercraft.errors import ConfigurationError, reason_of

if TYPE_CHECKING:
    from pathlib import Path

    from layercraft.recipe.extra_files import ExtraFile
    from layercraft.recipe.options import BuildOptions
    from layercraft.recipe.recipe import Recipe
    from layercraft.target import Target


def tool_version() -> str:
    """Give layercraft's own version; "unknown" in a checkout that was never installed."""
    try:
        return version("layercraft")
    except PackageNotFoundError:
        return "unknown"


def inputs_digest(recipe: Recipe, target: Target, options: BuildOptions, index_url: str | None = None) -> str:
    """Give the sha256 over recipe, target, options and tool version, in hexadecimal.

    The state of the index is no input: a build is skipped until something here changes.

    Raises:
        ConfigurationError: a file of the recipe, or the lock, cannot be read.
    """
    inputs = {
        "tool": tool_version(),
        "target": [target.runtime.name, target.architecture, target.markers["python_full_version"]],
        "name": recipe.name,
        "license": recipe.license,
        "requirements": [[str(each), *each.hashes] for each in recipe.requirements.requirements],
        "constraints": [[str(each), *each.hashes] for each in recipe.requirements.constraints],
        "prereleases": recipe.requirements.prereleases,
        "rules": [recipe.cleanup.remove, recipe.cleanup.keep, recipe.limits.unzipped],
        "script": _digest(recipe.script) if recipe.script else None,
        "files": [[_place(path, recipe.folder), _digest(path)] for path in recipe.files],
        "exclude": sorted({*recipe.exclude, *options.exclude}),
        "extra": [
            [each.path, each.file, _executable(recipe, each), each.requirement, each.member]
            for each in recipe.extra_files
        ],
        "bytecode": [recipe.bytecode(options), options.python and str(options.python)],
        "guards": [options.runtime_packages or recipe.runtime_packages, options.keep_gpu or recipe.keep_gpu],
        "preset": options.preset or recipe.preset,
        "cleanup": options.preset != "none",
        "strip": recipe.strips(options),
        "compress": options.compress,
        "strict": options.strict,
        "check": options.check,
        "lock": _digest(options.lock) if options.lock else None,
        "index": None if options.lock else index_url or recipe.requirements.index_url,
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def _place(path: Path, folder: Path | None) -> str:
    """Name a file so that the same recipe elsewhere has the same inputs."""
    if folder is not None and path.is_relative_to(folder):
        return path.relative_to(folder).as_posix()
    return path.name


def _executable(recipe: Recipe, file: ExtraFile) -> bool:
    """Tell whether a file of the recipe may be executed: so it may in the layer."""
    if not file.file or recipe.folder is None:
        return False
    path = recipe.folder / file.file
    return path.is_file() and bool(path.stat().st_mode & 0o100)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {reason_of(error)}") from error
