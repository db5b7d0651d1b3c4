"""Patterns of the shell and of find's -path, where `*` crosses slashes, as globs of gitignore(5)."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from layercraft.recipe.shell_words import NotConvertibleError

_STARS = re.compile(r"(?<!\\)\*+")
_LEADING = re.compile(r"^(?:\*/+)+")
_LETTER = re.compile(r"\\.|\[[^\]]*\]|[A-Za-z]")


def anywhere_below(base: str, name: str) -> str:
    """Give the glob for a name at any depth below a folder, which is empty for the top."""
    if base:
        return f"/{base}/**/{name}"
    return f"**/{name}" if "/" in name.rstrip("/") else name


def exactly(base: str, path: str = "") -> str:
    """Give the glob for a path below a folder."""
    return "/" + "/".join(part for part in (base, path) if part)


def path_globs(pattern: str, printed: str, base: str) -> tuple[str, ...]:
    """Give globs for what `find START -path PATTERN` matches.

    `printed` is START as find prints it, `base` the folder that it is.

    Raises:
        NotConvertibleError: the pattern has no equal.
    """
    pattern = _STARS.sub("*", pattern)
    start = printed.rstrip("/") + "/"
    if pattern.startswith(start):
        return _spread(f"/{base}" if base else "", pattern.removeprefix(start))
    if pattern.endswith("*") and fnmatchcase(start, pattern):
        return (f"/{base}/" if base else "*",)
    if not pattern.startswith("*"):
        return ()  # find prints no path that begins so
    rest = _LEADING.sub("", pattern)
    if pattern.count("/") - rest.count("/") > start.count("/") or _begins_above(rest, start):
        raise NotConvertibleError("its pattern may match folders that the layer lies in")
    return tuple(map(_shortest, _spread(f"/{base}/**" if base else "**", rest)))


def _begins_above(pattern: str, start: str) -> bool:
    """Tell whether a match of a pattern may begin in the names of the folders that lead to the start."""
    first, slash, _ = pattern.partition("/")
    literal, star, _ = first.lstrip("*").partition("*")
    if first.startswith("*"):
        return bool(star or slash) and fnmatchcase(start, f"*{literal}*")
    wanted = f"{literal}*" if star else literal
    return bool(star or slash) and any(fnmatchcase(folder, wanted) for folder in start.split("/"))


def _shortest(glob: str) -> str:
    """Leave out the `**/` that a glob without another slash does not need."""
    name = glob.removeprefix("**/")
    return glob if "/" in name.rstrip("/") else name


def either_case(pattern: str) -> str:
    """Give a pattern that matches letters of both cases, for -iname and -ipath."""

    def both(match: re.Match[str]) -> str:
        letter = match[0]
        return f"[{letter.upper()}{letter.lower()}]" if letter.isalpha() else letter

    return _LETTER.sub(both, pattern)


def _spread(prefix: str, pattern: str) -> tuple[str, ...]:
    """Write a pattern below `prefix` whose stars cross slashes as globs whose stars do not."""
    parts = pattern.split("/")
    if parts[-1] == "*":
        parts[-1] = ""  # all that is below
    globs = [[prefix]]
    for position, part in enumerate(parts):
        forms = _forms(part, last=position == len(parts) - 1)
        globs = [
            [*glob, *(form[1:] if form[0] == "**" and glob[-1].endswith("**") else form)]
            for glob in globs
            for form in forms
        ]
    return tuple("/".join(glob) for glob in globs)


def _forms(part: str, *, last: bool) -> list[list[str]]:
    """Give the ways to write one part: its stars may stand for parts of names or for whole folders."""
    if part == "*":
        return [["*", "**"]]
    _, star, tail = part.strip("*").partition("*")
    if "*" in tail:
        raise NotConvertibleError(f"the stars in {part} may stand for several folders")
    before = ["**"] if part.startswith("*") else []
    after = ["**"] if part.endswith("*") and not last else []
    whole = [[part]]
    if star:
        left, right = part[: part.index("*", 1)], part[part.rindex("*", 0, -1) + 1 :]
        whole.append([f"{left}*", "**", f"*{right}"])
    return [[*before, *form, *after] for form in whole]
