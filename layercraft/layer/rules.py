"""Cleanup rules: gitignore-style globs, each one a change that knows what it saved."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Self

from packaging.specifiers import SpecifierSet

from layercraft.events import SILENT
from layercraft.layer.change import Change, Reason
from layercraft.layer.globs import Globs
from layercraft.layer.tree import Inline, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from layercraft.events import Reporter
    from layercraft.layer.tree import Distribution, Entry

_ROOT = "python/"
_METADATA = ".dist-info/METADATA"
_COMPILED = re.compile(r"\.so(\.[0-9.]+)?$")
_OWNER = re.compile(r"([\w.*?-]+)\s*(.*)")


Needed = Callable[[Tree, Collection[str]], Collection[str]]
"""Gives those of some paths of a tree that must stay, because others of its files need them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which files to take, and for which reason.

    The fields are explained in presets.toml. `may_miss`: matching no file at all is no news.
    """

    reason: Reason
    globs: Globs
    but: Globs = field(default_factory=Globs)
    only_owner: tuple[str, ...] = ()
    unless_owner: tuple[str, ...] = ()
    unless_requires: tuple[str, ...] = ()
    only_compiled: bool = False
    only_scripts: bool = False
    only_with: tuple[str, ...] = ()
    unless_imported: bool = False
    may_miss: bool = False

    @classmethod
    def of_glob(cls, glob: str, *, source: str) -> Self:
        """Make the rule of one line that a user wrote; `source` says where (`layers/x/layer.toml`).

        Raises:
            ConfigurationError: the glob is no pattern of .gitignore, or a negated one.
        """
        return cls(reason=Reason(source=source, rule=glob), globs=Globs.parse([glob], source=source))

    def matches(self, entry: Entry) -> bool:
        """Tell whether the globs take this file, whoever owns it and whatever lies beside it."""
        if self.only_scripts and not isinstance(entry.content, Inline):
            return False
        path = entry.path.removeprefix(_ROOT)
        return self.globs.match(path) and not self.but.match(path)


def clean(  # noqa: PLR0913 (what stays is decided by several who know)
    tree: Tree,
    rules: Sequence[Rule],
    *,
    keep: Sequence[Rule] = (),
    requires: Mapping[str, Collection[str]] | None = None,
    needed: Needed = lambda _, suspects: suspects,
    reporter: Reporter = SILENT,
) -> tuple[Change, ...]:
    """Apply the rules in order: one change for each, with the files that it was the first to take.

    What a rule of `keep` matches stays, whatever the others say. Globs are relative to `python/`;
    files outside of it are not touched. `requires` gives the distributions that each distribution
    requires, by normalized names. `needed` is told the tree without what the other rules take, and the
    paths that rules with `unless_imported` would take; it gives those that must stay, which are all of
    them where nobody else is asked. METADATA goes only together with its whole `.dist-info` folder,
    because importlib.metadata takes a folder without it for a distribution without a version.
    A rule that matches no file, or only METADATA that must stay, is told as a warning, and so is the
    loss of METADATA.
    """
    entries = [entry for entry in tree.entries.values() if entry.path.startswith(_ROOT)]
    kept = {entry.path for rule in keep for entry in _matched(rule, entries, reporter)}
    taken: dict[str, int] = {}
    suspected: dict[str, int] = {}
    for position, rule in enumerate(rules):
        exempt = _exempt_owners(rule, tree, requires or {})
        for entry in _matched(rule, entries, reporter):
            if entry.path not in kept and entry.owner not in exempt:
                (suspected if rule.unless_imported else taken).setdefault(entry.path, position)
    suspects = suspected.keys() - taken.keys()
    staying = set(needed(tree.without(taken), suspects)) if suspects else set()
    taken |= {path: position for path, position in suspected.items() if path in suspects - staying}
    spared = _spare_metadata(tree, taken)
    for position in sorted(spared - set(taken.values())):
        reporter.warning(
            f"{rules[position].reason} matches no file that may go: METADATA goes only with its whole folder"
        )
    _tell_lost_metadata(tree, rules, taken, reporter)
    return tuple(_changes(tree, rules, taken))


def _matched(rule: Rule, entries: Iterable[Entry], reporter: Reporter) -> list[Entry]:
    matched = [entry for entry in entries if rule.matches(entry)]
    if rule.only_with:
        matched = list(_in_folders_with(rule, matched))
    if not matched and not rule.may_miss:
        relative = "; globs are relative to python/" if rule.reason.rule.lstrip("/").startswith(_ROOT) else ""
        reporter.warning(f"{rule.reason} matches no file{relative}")
    return matched


def _in_folders_with(rule: Rule, entries: Iterable[Entry]) -> Iterator[Entry]:
    """Give the files of those matched folders in which, at any depth, a file has one of the rule's names."""
    folders: dict[str, list[Entry]] = {}
    for entry in entries:
        folders.setdefault(_matched_folder(rule, entry.path), []).append(entry)
    for found in folders.values():
        names = {entry.path.rpartition("/")[2] for entry in found}
        if any(fnmatchcase(name, wanted) for name in names for wanted in rule.only_with):
            yield from found


def _matched_folder(rule: Rule, path: str) -> str:
    """Give the outermost folder of a path that the rule's globs match, else the path itself."""
    parts = path.removeprefix(_ROOT).split("/")
    folders = ("/".join(parts[:count]) + "/" for count in range(1, len(parts)))
    return next(filter(rule.globs.match, folders), path)


def _names(owner: str, distribution: Distribution) -> bool:
    """Tell whether `numpy>=2.4`, or a pattern such as `pycryptodome*`, means this distribution."""
    match = _OWNER.fullmatch(owner)
    if match is None or not fnmatchcase(distribution.name, match[1]):
        return False
    return not match[2] or SpecifierSet(match[2]).contains(distribution.version, prereleases=True)


def _exempt_owners(rule: Rule, tree: Tree, requires: Mapping[str, Collection[str]]) -> set[str]:
    owners = {*tree.distributions, ""}
    exempt = {owner for owner in owners if any(fnmatchcase(owner, name) for name in rule.unless_owner)}
    if rule.only_owner:
        found = tree.distributions.values()
        exempt |= owners - {
            each.name for each in found if any(_names(name, each) for name in rule.only_owner)
        }
    if not tree.distributions.keys().isdisjoint(rule.unless_requires):
        needed = set(rule.unless_requires)
        requiring = {owner for owner in owners if not needed.isdisjoint(requires.get(owner, ()))}
        exempt |= requiring or owners  # a lock need not tell who requires what
    if rule.only_compiled:
        exempt |= owners - {entry.owner for entry in tree.entries.values() if _COMPILED.search(entry.path)}
    return exempt


def _spare_metadata(tree: Tree, taken: dict[str, int]) -> set[int]:
    """Leave METADATA where any other file of its folder stays; give the rules that would have taken it."""
    staying = {path.rpartition(".dist-info/")[0] for path in tree.entries if path not in taken}
    metadata = [path for path in taken if path.endswith(_METADATA)]
    return {taken.pop(path) for path in metadata if path.removesuffix(_METADATA) in staying}


def _tell_lost_metadata(
    tree: Tree, rules: Sequence[Rule], taken: Mapping[str, int], reporter: Reporter
) -> None:
    lost: dict[int, list[str]] = {}
    for distribution in tree.distributions.values():
        position = taken.get(f"{distribution.dist_info}/METADATA")
        if position is not None:
            lost.setdefault(position, []).append(distribution.name)
    for position, names in sorted(lost.items()):
        reporter.warning(
            f"{rules[position].reason} takes the metadata of {', '.join(names)}: "
            "importlib.metadata will not find them, nor their entry points"
        )


def _changes(tree: Tree, rules: Sequence[Rule], taken: Mapping[str, int]) -> Iterator[Change]:
    removed: list[list[Entry]] = [[] for _ in rules]
    for path, position in taken.items():
        removed[position].append(tree.entries[path])
    for rule, gone in zip(rules, removed, strict=True):
        tree = tree.without(entry.path for entry in gone)
        yield Change(tree=tree, reason=rule.reason, removed=tuple(gone))
