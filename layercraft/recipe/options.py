"""How to build: all that files, environment and command line say beside the recipe, merged once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Compress = Literal["fast", "best"]

BYTECODE = ("none", "unchecked-hash", "only")
"""No bytecode, bytecode beside the sources, or bytecode in their place."""

RUNTIME_PACKAGES = ("auto", "include", "exclude")
"""Whether what the runtime brings itself is left out: where nothing speaks against it, never, always."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """Choices for one build; the defaults are those of the command line."""

    output: Path = Path("outputs")
    """The folder for the zip, its lock and its build record; made when it is missing."""

    lock: Path | None = None
    """Build exactly this PEP 751 lock file, and ask no index."""

    exclude: tuple[str, ...] = ()
    """Globs on distribution names to keep out, beside the recipe's own."""

    runtime_packages: str | None = None
    """One of RUNTIME_PACKAGES, in place of the recipe's; None for the recipe's, else "auto"."""

    keep_gpu: bool = False
    """Keep distributions that only a GPU could make use of, whatever the recipe says."""

    preset: str | None = None
    """A cleanup preset in place of the recipe's; "none" leaves out its globs and script too."""

    strip: bool | None = None
    """Take debug symbols out of compiled files, or not; None leaves it to the recipe."""

    compress: Compress = "fast"
    """"fast" copies what is deflated already; "best" deflates all anew, in much more time."""

    bytecode: str | None = None
    """One of BYTECODE, in place of the recipe's; None for the recipe's, else "none"."""

    python: Path | None = None
    """The interpreter to compile bytecode with; None: one of the target's version that is found."""

    pyenv_root: Path | None = None
    """Where pyenv keeps its Pythons, to look for that interpreter."""

    uv_root: Path | None = None
    """Where uv keeps its Pythons, to look for that interpreter."""

    strict: bool = False
    """Two distributions that bring different files at one path are an error."""

    check: bool = True
    """Inflate every member once per wheel, compare sizes and CRCs, and judge the layer by its files."""

    skip_existing: bool = False
    """Do nothing where the zip there was built from the same inputs."""

    unpacked: Path | None = None
    """Also lay the layer's files out in this folder."""

    search_path: str = os.defpath
    """PATH of `cleanup.sh`, and where the Python that makes bytecode is looked for."""
