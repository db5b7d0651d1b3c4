"""Globs as .gitignore knows them, compiled and matched as one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from layercraft.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Globs:
    """Several globs; a path matches when one of them takes it, or a folder that it lies in.

    Each pattern stands beside a text that every path it matches contains: looking for the text
    first spares nearly all regular expressions.
    """

    patterns: tuple[tuple[str, re.Pattern[str]], ...] = ()

    @classmethod
    def parse(cls, globs: Iterable[str], *, source: str) -> Self:
        """Compile globs by the rules of gitignore(5); `source` names their file in errors.

        Raises:
            ConfigurationError: a glob is empty, negated, a comment, or broken.
        """
        return cls(patterns=tuple((_literal(glob), _compiled(glob, source)) for glob in globs))

    def match(self, path: str) -> bool:
        """Tell whether a file's path, with slashes and relative to the globs' root, is taken."""
        return any(literal in path and pattern.search(path) for literal, pattern in self.patterns)


def _literal(glob: str) -> str:
    if "[" in glob or "\\" in glob:
        return ""
    return max((part.strip("/ ") for part in re.split(r"[*?]+", glob)), key=len)


def _compiled(glob: str, source: str) -> re.Pattern[str]:
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    try:
        pattern = GitIgnoreSpecPattern(glob)
    except ValueError as error:
        raise ConfigurationError(f"{source}: {glob!r} is no valid glob") from error
    if pattern.include is False:
        raise ConfigurationError(
            f"{source}: {glob!r} is negated, and the order of rules has no say here",
            hint=f"write {glob.removeprefix('!')!r} under `keep`",
        )
    if pattern.regex is None:
        raise ConfigurationError(f"{source}: {glob!r} is no glob that could match a file")
    return pattern.regex
