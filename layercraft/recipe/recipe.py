"""A recipe: a folder with a `requirements.txt`, and a `layer.toml` or a `cleanup.sh` where they help."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from layercraft.errors import ConfigurationError, reason_of
from layercraft.recipe.layer_toml import Cleanup, LayerFile, Limits, Verify, read_layer_toml
from layercraft.recipe.requirements_file import read_requirements

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from layercraft.recipe.extra_files import ExtraFile
    from layercraft.recipe.options import BuildOptions
    from layercraft.recipe.requirements import RequirementsInput

REQUIREMENTS_FILE = "requirements.txt"
LAYER_FILE = "layer.toml"
SCRIPT_FILE = "cleanup.sh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to build, and how to trim and check it. Without a folder: a layer made of requirements alone."""

    name: str
    requirements: RequirementsInput
    folder: Path | None = None
    description: str | None = None
    license: str | None = None
    """An SPDX expression."""

    exclude: tuple[str, ...] = ()
    """Globs on normalized distribution names: what matches stays out of the layer."""

    runtime_packages: str = "auto"
    """Whether what the runtime brings itself is left out: one of RUNTIME_PACKAGES."""

    keep_gpu: bool = False
    """Distributions that only a GPU could make use of stay."""

    cleanup: Cleanup = field(default_factory=Cleanup)
    script: Path | None = None
    """`cleanup.sh`, which runs before any other rule."""

    verify: Verify = field(default_factory=Verify)
    limits: Limits = field(default_factory=Limits)
    extra_files: tuple[ExtraFile, ...] = ()
    """Files that the layer gets besides those of its wheels."""

    files: tuple[Path, ...] = ()
    """All files that it is made of: its folder's, sorted, then those included from elsewhere."""

    def strips(self, options: BuildOptions) -> bool:
        """Tell whether debug symbols go: as the options say, else as `layer.toml` does, else not.

        The option "none" for presets stands for all files as they are, so the recipe is not asked then.
        """
        if options.strip is not None:
            return options.strip
        return bool(self.cleanup.strip) and options.preset != "none"

    def bytecode(self, options: BuildOptions) -> str:
        """Give one of BYTECODE: as the options say, else as `layer.toml` does, asked as for `strips`."""
        asked = self.cleanup.bytecode if options.preset != "none" else None
        return options.bytecode or asked or "none"

    @property
    def preset(self) -> str:
        """The named rule set that applies: the one of `layer.toml`, else "safe".

        A recipe with a `cleanup.sh` and no preset of its own gets "none": its result is the script's work.
        """
        return self.cleanup.preset or ("none" if self.script else "safe")


def read_recipe(folder: Path, *, environment: Mapping[str, str] = MappingProxyType({})) -> Recipe:
    """Read the recipe in `folder`, whose name it takes; `environment` fills `${NAME}` in requirements.

    Raises:
        ConfigurationError: `requirements.txt` is missing, or `layer.toml` is wrong (line, key).
        RequirementError: a requirement that cannot work (file, line).
    """
    listed = folder / REQUIREMENTS_FILE
    if not listed.is_file():
        raise ConfigurationError(
            f"{folder} is no recipe: it has no {REQUIREMENTS_FILE}",
            hint=f"write the packages of the layer into {listed}, one a line",
        )
    requirements = read_requirements(listed, environment=environment)
    toml, script = folder / LAYER_FILE, folder / SCRIPT_FILE
    settings = read_layer_toml(toml) if toml.is_file() else LayerFile()
    own = _files(folder)
    if settings.verify.script and folder / settings.verify.script not in own:
        raise ConfigurationError(
            f"{toml}: verify.script: there is no file {settings.verify.script} in {folder}"
        )
    for extra in settings.files:
        if extra.file and folder / extra.file not in own:
            raise ConfigurationError(f"{toml}: files.{extra.path}: there is no file {extra.file} in {folder}")
    return Recipe(
        name=folder.name,
        requirements=requirements,
        folder=folder,
        description=settings.description,
        license=settings.license,
        exclude=settings.exclude,
        runtime_packages=settings.runtime_packages or "auto",
        keep_gpu=settings.keep_gpu,
        cleanup=settings.cleanup,
        script=script if script.is_file() else None,
        verify=settings.verify,
        limits=settings.limits,
        extra_files=settings.files,
        files=(*own, *(path for path in requirements.files if path not in own)),
    )


def _files(folder: Path) -> tuple[Path, ...]:
    """Give all files below a folder, sorted by their path in it; caches of bytecode do not count."""
    try:
        found = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    except OSError as error:
        raise ConfigurationError(f"cannot read {folder}: {reason_of(error)}") from error
    return tuple(sorted(found, key=lambda path: path.relative_to(folder).as_posix()))
