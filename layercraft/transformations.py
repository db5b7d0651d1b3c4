"""All that changes the tree between wheels and zip: script, rules, files, strip, bytecode, RECORDs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from layercraft.errors import ConflictError, UsageError
from layercraft.events import SILENT
from layercraft.layer.change import Reason

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from layercraft.events import Reporter
    from layercraft.formats.record_file import Recorded
    from layercraft.host.interpreters import Interpreter
    from layercraft.layer.change import Change
    from layercraft.layer.contents import Contents
    from layercraft.layer.rules import Needed, Rule
    from layercraft.layer.tree import Content, Tree
    from layercraft.resolution.pins import Lock
    from layercraft.supply import Job
    from layercraft.wheels.inspection import Wheel

MOST_TOLD = 5
"""Conflicts that one error names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A step whose effect cannot be foreseen.

    `at_most` are the unzipped bytes that it can save, those of RECORD's lines included. Where it
    `may_grow`, the layer may also become larger, by how much nobody can tell.
    """

    reason: Reason
    at_most: int
    may_grow: bool = False


def transformed(
    job: Job, tree: Tree, locked: Lock, donors: Mapping[str, Wheel], staging: Path
) -> tuple[Change, ...]:
    """Apply all that the job asks for; the last change holds the final tree.

    `donors` give the wheel for each requirement of the recipe's [files]; `staging` is an empty folder
    for what must lie on disk meanwhile.

    Raises:
        LayercraftError: a step failed, or could not read what it needs.
    """
    from layercraft.layer.dist_info import rewrite_records
    from layercraft.layer.import_graph import needed_files
    from layercraft.layer.script import run_script

    changes: list[Change] = []
    script = job.recipe.script if job.options.preset != "none" else None
    if script:
        search_path = job.options.search_path
        changes.append(run_script(tree, script, staging, search_path=search_path, reporter=job.reporter))
        tree = changes[-1].tree
    needed = partial(needed_files, target=job.target, cache=job.sources.cache)
    changes += _cleaned(job, tree, locked, needed, job.reporter)
    changes += _with_files(job, _after(changes, tree), donors)
    tree = _after(changes, tree)
    if job.recipe.strips(job.options):
        changes.append(_stripped(job, tree, locked, donors))
    changes += _with_bytecode(job, _after(changes, tree), locked, staging)
    tree = _after(changes, tree)
    return (*changes, rewrite_records(tree))


def _after(changes: Sequence[Change], tree: Tree) -> Tree:
    """Give the tree as the changes left it."""
    return changes[-1].tree if changes else tree


def foreseen(
    job: Job, tree: Tree, locked: Lock, donors: Mapping[str, Wheel]
) -> tuple[tuple[Change, ...], tuple[Bound, ...]]:
    """Apply what paths and sizes alone decide, to a tree of wheels that nobody can read.

    The sizes of the last change's tree are those that `transformed` gives, but for the steps that need
    the files themselves: those are not applied, and each is told with the most that it can save.
    """
    from layercraft.layer.dist_info import rewrite_records

    changes = _cleaned(job, tree, locked, lambda _, suspects: suspects, job.reporter)
    farthest = _cleaned(job, tree, locked, lambda _, __: (), SILENT)
    suspected = [
        (most.reason, _paths(most) - _paths(sure)) for sure, most in zip(changes, farthest, strict=True)
    ]
    changes += _with_files(job, _after(changes, tree), donors)
    tree = _after(changes, tree)
    records = rewrite_records(tree, unknown=_of_right_length)
    bounds = (
        *_bounds_of_rules(tree, suspected, records.tree.size),
        *_bounds_of_steps(job, tree, records.tree.size),
    )
    return (*changes, records), bounds


def _paths(change: Change) -> set[str]:
    return {entry.path for entry in change.removed}


def _bounds_of_rules(
    tree: Tree, suspected: Iterable[tuple[Reason, Collection[str]]], size: int
) -> Iterator[Bound]:
    """Bound the rules that read imports; the whole tree has `size` bytes with its RECORDs."""
    from layercraft.layer.dist_info import rewrite_records

    for reason, paths in suspected:
        if paths:
            least = rewrite_records(tree.without(paths), unknown=_of_right_length).tree.size
            yield Bound(reason=reason, at_most=size - least)


def _bounds_of_steps(job: Job, tree: Tree, size: int) -> Iterator[Bound]:
    """Bound strip, bytecode and script.

    A file has more bytes than its line of RECORD can lose digits, and neither a stripped file nor
    bytecode is ever empty: so the files' own sizes bound their lines too.
    """
    if job.recipe.strips(job.options):
        from layercraft.layer.strip import REASON, may_be_stripped

        suspects = sum(entry.size for entry in tree.entries.values() if may_be_stripped(entry, tree))
        yield Bound(reason=REASON, at_most=suspects)
    bytecode = job.recipe.bytecode(job.options)
    if bytecode != "none":
        sources = sum(entry.size for entry in tree.entries.values() if entry.path.endswith(".py"))
        reason = Reason(source="bytecode", rule=bytecode)
        yield Bound(reason=reason, at_most=sources if bytecode == "only" else 0, may_grow=True)
    if job.recipe.script and job.options.preset != "none":
        yield Bound(reason=Reason(source=job.recipe.script.name), at_most=size, may_grow=True)


def _of_right_length(content: Content, contents: Contents) -> Recorded:
    from layercraft.formats.record_file import Recorded
    from layercraft.layer.dist_info import computed
    from layercraft.layer.tree import Inline

    if isinstance(content, Inline):
        return computed(content, contents)
    return replace(Recorded.of(b""), size=content.size)


def compiler_for(job: Job) -> Interpreter | None:
    """Find the Python that makes the bytecode of a job; None when no bytecode is wanted.

    Raises:
        UsageError: there is none of the target's minor version, or the one named is another.
    """
    if job.recipe.bytecode(job.options) == "none":
        return None
    from layercraft.host.interpreters import find_interpreters, read_interpreter

    options, version = job.options, job.target.runtime.version
    if options.python:
        return read_interpreter(options.python, version, None, search_path=options.search_path)
    found = find_interpreters(
        version,
        None,
        search_path=options.search_path,
        pyenv_root=options.pyenv_root,
        uv_root=options.uv_root,
    )
    if not found:
        wanted = "{}.{}".format(*version)
        raise UsageError(
            f"bytecode for {job.target.runtime.name} is made by a Python {wanted}, "
            "and none is on PATH, in pyenv or in uv",
            hint=f"install one (uv python install {wanted}), or name one with --python",
        )
    return found[0]


def _with_bytecode(job: Job, tree: Tree, locked: Lock, staging: Path) -> tuple[Change, ...]:
    if job.compiler is None:
        return ()
    from layercraft.layer.bytecode import compile_sources

    folder = staging / "bytecode"
    folder.mkdir()
    mode = job.recipe.bytecode(job.options)
    requires: dict[str, tuple[str, ...]] = {pin.name: pin.requires for pin in locked.pins}
    return (compile_sources(tree, mode, job.compiler, folder, requires=requires, reporter=job.reporter),)


def _cleaned(job: Job, tree: Tree, locked: Lock, needed: Needed, reporter: Reporter) -> tuple[Change, ...]:
    from layercraft.layer.rules import clean

    rules, keep = _rules(job)
    requires: dict[str, tuple[str, ...]] = {pin.name: pin.requires for pin in locked.pins}
    return clean(tree, rules, keep=keep, requires=requires, needed=needed, reporter=reporter)


def _stripped(job: Job, tree: Tree, locked: Lock, donors: Mapping[str, Wheel]) -> Change:
    from layercraft.layer.strip import strip_binaries

    cache = job.sources.cache
    wheels = {cache.wheel_path(pin.sha256): pin.sha256 for pin in locked.pins}
    wheels |= {donor.path: donor.sha256 for donor in donors.values()}
    return strip_binaries(tree, cache, wheels, reporter=job.reporter)


def _with_files(job: Job, tree: Tree, donors: Mapping[str, Wheel]) -> tuple[Change, ...]:
    from layercraft.layer.files import add_files

    recipe = job.recipe
    if not recipe.extra_files:
        return ()
    return (add_files(tree, recipe.extra_files, recipe.folder, donors, source=_source(job)),)


def _source(job: Job) -> str:
    return f"layers/{job.recipe.name}/layer.toml"


def _rules(job: Job) -> tuple[list[Rule], list[Rule]]:
    """Give what removes and what keeps. The option "none" leaves all files; a recipe's "none" its globs."""
    from layercraft.layer.presets import preset
    from layercraft.layer.rules import Rule

    rules = list(preset(job.options.preset or job.recipe.preset))
    if job.options.preset == "none":
        return rules, []
    source = _source(job)
    cleanup = job.recipe.cleanup
    rules += [Rule.of_glob(glob, source=source) for glob in cleanup.remove]
    return rules, [Rule.of_glob(glob, source=source) for glob in cleanup.keep]


def tell_conflicts(tree: Tree, job: Job) -> None:
    """Warn of every path in the tree for which two distributions bring different files.

    Raises:
        ConflictError: there is one, and the job is strict.
    """
    conflicts = [conflict for conflict in tree.conflicts if conflict.path in tree.entries]
    if job.options.strict and conflicts:
        told = [f"{each.path}: {each.winner} and {each.loser} bring different files" for each in conflicts]
        more = [f"{len(told) - MOST_TOLD} more such paths"] if len(told) > MOST_TOLD else []
        raise ConflictError(
            "; ".join([*told[:MOST_TOLD], *more]),
            hint="keep one of them out with --exclude, or build without --strict",
        )
    for conflict in conflicts:
        job.reporter.warning(str(conflict))
