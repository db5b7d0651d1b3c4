"""Cleanup rules: gitignore-style globs, each one a change that knows what it saved."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Self

from layercraft.errors import UsageError
from layercraft.events import SILENT
from layercraft.layer.change import Change, Reason
from layercraft.layer.globs import Globs
from layercraft.layer.tree import Inline

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from layercraft.events import Reporter
    from layercraft.layer.tree import Entry, Tree

_ROOT = "python/"
_METADATA = ".dist-info/METADATA"
_COMPILED = re.compile(r"\.so(\.[0-9.]+)?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which files to take, and for which reason.

    The fields are explained in presets.toml. `may_miss`: matching no file at all is no news.
    """

    reason: Reason
    globs: Globs
    but: Globs = field(default_factory=Globs)
    unless_owner: tuple[str, ...] = ()
    unless_requires: tuple[str, ...] = ()
    only_compiled: bool = False
    only_scripts: bool = False
    why: str = ""
    risk: str = ""
    may_miss: bool = False

    @classmethod
    def of_glob(cls, glob: str, *, source: str) -> Self:
        """Make the rule of one line that a user wrote; `source` says where (`layers/x/layer.toml`).

        Raises:
            ConfigurationError: the glob is no pattern of .gitignore, or a negated one.
        """
        return cls(reason=Reason(source=source, rule=glob), globs=Globs.parse([glob], source=source))

    def matches(self, entry: Entry) -> bool:
        """Tell whether the globs take this file, whoever owns it."""
        if self.only_scripts and not isinstance(entry.content, Inline):
            return False
        path = entry.path.removeprefix(_ROOT)
        return self.globs.match(path) and not self.but.match(path)


def preset_names() -> tuple[str, ...]:
    """Give the names of all presets."""
    return tuple(_presets())


@cache
def preset(name: str) -> tuple[Rule, ...]:
    """Give a preset's rules, in the order in which they apply.

    Raises:
        UsageError: no preset has this name; the message tells the nearest one.
    """
    presets = _presets()
    if name not in presets:
        nearest = get_close_matches(name, presets, n=1)
        raise UsageError(
            f"unknown preset {name!r}" + (f"; did you mean {nearest[0]!r}?" if nearest else ""),
            hint=f"presets are: {', '.join(presets)}",
        )
    return tuple(_preset_rule(name, fields) for fields in presets[name]["rules"])


@cache
def _presets() -> Mapping[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath("presets.toml").read_text("utf-8"))


def _preset_rule(preset: str, fields: Mapping[str, Any]) -> Rule:
    source = f"preset {preset}"
    return Rule(
        reason=Reason(source=source, rule=fields["name"]),
        globs=Globs.parse(fields["globs"], source=source),
        but=Globs.parse(fields.get("but", ()), source=source),
        unless_owner=tuple(fields.get("unless_owner", ())),
        unless_requires=tuple(fields.get("unless_requires", ())),
        only_compiled=fields.get("only_compiled", False),
        only_scripts=fields.get("only_scripts", False),
        why=fields["why"].strip(),
        risk=fields["risk"].strip(),
        may_miss=True,
    )


def clean(
    tree: Tree,
    rules: Sequence[Rule],
    *,
    keep: Sequence[Rule] = (),
    requires: Mapping[str, Collection[str]] | None = None,
    reporter: Reporter = SILENT,
) -> tuple[Change, ...]:
    """Apply the rules in order: one change for each, with the files that it was the first to take.

    What a rule of `keep` matches stays, whatever the others say. Globs are relative to `python/`;
    files outside of it are not touched. `requires` gives the distributions that each distribution
    requires, by normalized names. METADATA goes only together with its whole `.dist-info` folder,
    because importlib.metadata takes a folder without it for a distribution without a version.
    A rule that matches no file is told as a warning, and so is the loss of METADATA.
    """
    entries = [entry for entry in tree.entries.values() if entry.path.startswith(_ROOT)]
    kept = {entry.path for rule in keep for entry in _matched(rule, entries, reporter)}
    taken: dict[str, int] = {}
    for position, rule in enumerate(rules):
        exempt = _exempt_owners(rule, tree, requires or {})
        for entry in _matched(rule, entries, reporter):
            if entry.path not in kept and entry.owner not in exempt:
                taken.setdefault(entry.path, position)
    _spare_metadata(tree, taken)
    _tell_lost_metadata(tree, rules, taken, reporter)
    return tuple(_changes(tree, rules, taken))


def _matched(rule: Rule, entries: Iterable[Entry], reporter: Reporter) -> list[Entry]:
    matched = [entry for entry in entries if rule.matches(entry)]
    if not matched and not rule.may_miss:
        relative = "; globs are relative to python/" if rule.reason.rule.lstrip("/").startswith(_ROOT) else ""
        reporter.warning(f"{rule.reason} matches no file{relative}")
    return matched


def _exempt_owners(rule: Rule, tree: Tree, requires: Mapping[str, Collection[str]]) -> set[str]:
    owners = {*tree.distributions, ""}
    exempt = {owner for owner in owners if any(fnmatchcase(owner, name) for name in rule.unless_owner)}
    if not tree.distributions.keys().isdisjoint(rule.unless_requires):
        needed = set(rule.unless_requires)
        requiring = {owner for owner in owners if not needed.isdisjoint(requires.get(owner, ()))}
        exempt |= requiring or owners  # a lock need not tell who requires what
    if rule.only_compiled:
        exempt |= owners - {entry.owner for entry in tree.entries.values() if _COMPILED.search(entry.path)}
    return exempt


def _spare_metadata(tree: Tree, taken: dict[str, int]) -> None:
    """Leave METADATA where any other file of its folder stays."""
    staying = {path.rpartition(".dist-info/")[0] for path in tree.entries if path not in taken}
    for path in [path for path in taken if path.endswith(_METADATA)]:
        if path.removesuffix(_METADATA) in staying:
            del taken[path]


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
