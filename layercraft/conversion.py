"""A recipe's `cleanup.sh` said in globs, and the proof that both leave the same files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from layercraft.errors import UsageError, reason_of
from layercraft.events import SILENT
from layercraft.recipe.script_globs import globs_of_script
from layercraft.supply import Job, locked_wheels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from layercraft.events import Reporter
    from layercraft.layer.tree import Tree
    from layercraft.recipe.options import BuildOptions
    from layercraft.recipe.recipe import Recipe
    from layercraft.recipe.script_globs import ScriptGlob, Unconverted
    from layercraft.sources import Sources
    from layercraft.target import Target

_RECORD = ".dist-info/RECORD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What became of a script, and how its layer differs from the one that the globs make.

    `idle` are the globs that match no file of this layer; `missing` the paths that only the script
    leaves, `surplus` those that only the globs leave, `changed` those that the script gives other bytes.
    """

    globs: tuple[ScriptGlob, ...]
    idle: tuple[ScriptGlob, ...]
    unconverted: tuple[Unconverted, ...]
    kept: int
    missing: tuple[str, ...]
    surplus: tuple[str, ...]
    changed: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Tell whether both leave the same files."""
        return not (self.missing or self.surplus or self.changed)


def converted(
    recipe: Recipe,
    target: Target,
    options: BuildOptions,
    *,
    sources: Sources,
    reporter: Reporter = SILENT,
) -> Conversion:
    """Say the recipe's script in globs, and make the layer's tree both ways; nothing is written.

    Raises:
        UsageError: the recipe has no script.
        LayercraftError: the wheels cannot be had, or the script fails.
    """
    if recipe.script is None:
        raise UsageError(
            f"the recipe {recipe.name} has no cleanup.sh to convert",
            hint="its layer.toml says all of it",
        )
    found = globs_of_script(_text(recipe.script))
    job = Job(recipe=recipe, target=target, options=options, sources=sources, reporter=reporter)
    original, made = _original(job)
    by_script = made(job)
    by_globs = made(replace(job, recipe=_with_globs(recipe, found.globs), reporter=SILENT))
    both = by_script.entries.keys() & by_globs.entries.keys()
    return Conversion(
        globs=found.globs,
        idle=_idle(found.globs, original),
        unconverted=found.unconverted,
        kept=len(by_script.entries),
        missing=tuple(sorted(by_script.entries.keys() - both)),
        surplus=tuple(sorted(by_globs.entries.keys() - both)),
        changed=tuple(
            sorted(
                path
                for path in both
                # RECORD lists the other files, so it follows them.
                if not path.endswith(_RECORD)
                and not by_script.entries[path].same_bytes(by_globs.entries[path])
            )
        ),
    )


def _text(script: Path) -> str:
    try:
        return script.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise UsageError(f"{script} cannot be read: {reason_of(error)}") from error


def _original(job: Job) -> tuple[Tree, Callable[[Job], Tree]]:
    """Give the tree of the wheels, and what makes the layer's tree of it for a job on the same wheels."""
    from layercraft.host.scratch import temporary_folder
    from layercraft.layer.tree import Tree
    from layercraft.transformations import transformed

    locked, fetched = locked_wheels(job)
    wheels, donors = locked.parted(fetched)
    tree = Tree.of(wheels, job.target)

    def made(job: Job) -> Tree:
        with temporary_folder() as staging:
            return transformed(job, tree, locked.lock, donors, staging)[-1].tree

    return tree, made


def _with_globs(recipe: Recipe, globs: tuple[ScriptGlob, ...]) -> Recipe:
    """Give the recipe without its script, and with the same preset as it has with it."""
    cleanup = replace(
        recipe.cleanup,
        preset=recipe.preset,
        remove=(*recipe.cleanup.remove, *(each.glob for each in globs if not each.keeps)),
        keep=(*recipe.cleanup.keep, *(each.glob for each in globs if each.keeps)),
    )
    return replace(recipe, script=None, cleanup=cleanup)


def _idle(globs: tuple[ScriptGlob, ...], tree: Tree) -> tuple[ScriptGlob, ...]:
    from layercraft.layer.rules import Rule

    entries = tree.entries.values()
    return tuple(
        each for each in globs if not any(map(Rule.of_glob(each.glob, source="cleanup.sh").matches, entries))
    )
