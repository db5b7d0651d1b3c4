"""`layercraft new`: a recipe to start from."""

from __future__ import annotations

import re
import secrets
import shutil
from typing import TYPE_CHECKING

import tomli_w

from layercraft.errors import OutputError, UsageError, reason_of
from layercraft.recipe.layer_toml import DESCRIPTION_LIMIT
from layercraft.recipe.names import LAYER_NAME_LIMIT
from layercraft.recipe.recipe import LAYER_FILE, REQUIREMENTS_FILE
from layercraft.recipe.requirements import Requested, RequirementsInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_NAME = re.compile(rf"[a-zA-Z0-9][a-zA-Z0-9_-]{{0,{LAYER_NAME_LIMIT - 1}}}")

_TEMPLATE = """\
{description}
# license = "MIT"          # an SPDX expression, told to AWS in place of the wheels' own
# exclude = ["nvidia-*"]   # distributions that stay out of the layer

[cleanup]
preset = "safe"            # "none" keeps all files as the wheels have them
# remove = ["**/tests/"]   # gitignore-style globs, relative to python/
# keep = []                # wins over remove

[verify]
# imports = []             # modules that must import
# script = "smoke.py"      # a program that must end with exit code 0

[limits]
# unzipped = "230 MB"      # of 2^20 bytes, as AWS counts
"""


def new_recipe(name: str, requirements: Sequence[str], folder: Path) -> Path:
    """Write the recipe `name` into `folder` (`./layers`), and give its own folder.

    It appears with all its files or not at all.

    Raises:
        UsageError: a name that no layer may bear, no requirement, or a recipe that exists.
        RequirementError: a requirement that cannot work.
        OutputError: the folder cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a recipe",
            hint=f"use letters, digits, - and _, {LAYER_NAME_LIMIT} at most, a letter or digit first",
        )
    requested = RequirementsInput.of(requirements).requirements
    if not requested:
        raise UsageError("a recipe needs a requirement", hint=f"layercraft new {name} --require PACKAGE")
    target = folder / name
    if target.exists():
        raise UsageError(f"{target} exists already", hint="take another name, or edit the files there")
    texts = {
        REQUIREMENTS_FILE: "".join(f"{' '.join(text.split())}\n" for text in requirements),
        LAYER_FILE: _toml(requested),
    }
    try:
        _write(texts, target)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {reason_of(error)}") from error
    return target


def _toml(requested: Sequence[Requested]) -> str:
    """Give the text of a `layer.toml` with what is known, and the rest as comments."""
    names = dict.fromkeys(one.requirement.name for one in requested)
    description = ", ".join(names)[:DESCRIPTION_LIMIT]
    return _TEMPLATE.format(description=tomli_w.dumps({"description": description}).strip())


def _write(texts: Mapping[str, str], target: Path) -> None:
    """Write files into a temporary folder beside `target`, then give it this name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    temporary.mkdir()
    try:
        for name, text in texts.items():
            (temporary / name).write_text(text, encoding="utf-8", newline="\n")
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
