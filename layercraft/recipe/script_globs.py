"""A `cleanup.sh` made of `find` and `rm`, as globs for `layer.toml`."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from layercraft.recipe.find_command import Test, read_find, removal_of
from layercraft.recipe.path_patterns import anywhere_below, either_case, exactly, path_globs
from layercraft.recipe.shell_commands import Script
from layercraft.recipe.shell_words import NotConvertibleError, Word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from layercraft.recipe.find_command import Alternative
    from layercraft.recipe.shell_commands import Pipeline

LAYER = "/tmp/layer"  # noqa: S108 (the name that these scripts use; nothing is opened)
ROOT = f"{LAYER}/python"
_HARMLESS = (
    ":", "cat", "date", "du", "echo", "env", "exit", "ls", "printf", "pwd", "set", "shopt", "sleep", "true",
    "umask", "wc",
)  # fmt: skip
_WILDCARD = re.compile(r"[*?\[{]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptGlob:
    """A glob of `layer.toml` and the line that it says again; `keeps` tells what it is for."""

    line: int
    glob: str
    keeps: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconverted:
    """A line that globs cannot say, and why."""

    line: int
    text: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptGlobs:
    """All that became of a script."""

    globs: tuple[ScriptGlob, ...]
    unconverted: tuple[Unconverted, ...]


def globs_of_script(text: str) -> ScriptGlobs:
    """Say a script in globs, line by line, as far as globs can.

    The script is one in the format of imperva/aws-lambda-layer: it names `/tmp/layer`, which is its
    working folder too. Lines that touch nothing of the layer need no glob.
    """
    reader = _Reader()
    globs: dict[tuple[str, bool], ScriptGlob] = {}
    unconverted: list[Unconverted] = []
    for statement in Script(text, {"LAYER_DIR": LAYER}).statements():
        why = statement.problem
        try:
            found = [each for pipeline in statement.pipelines for each in reader.globs(pipeline)]
        except NotConvertibleError as error:
            found, why = [], str(error)
        if why:
            unconverted.append(Unconverted(line=statement.line, text=statement.text, why=why))
        for glob, keeps in found:
            globs.setdefault((glob, keeps), ScriptGlob(line=statement.line, glob=glob, keeps=keeps))
    return ScriptGlobs(globs=tuple(globs.values()), unconverted=tuple(unconverted))


class _Reader:
    def __init__(self) -> None:
        self._folder = LAYER

    def globs(self, pipeline: Pipeline) -> Iterator[tuple[str, bool]]:
        """Give the globs of one pipeline, each with whether it keeps."""
        first, *others = pipeline.commands
        match first[0].text if first else "":
            case "find":
                yield from self._found(first[1:], others)
            case "rm" if not others:
                yield from ((glob, False) for glob in self._removed(first[1:]))
            case "cd" if not others:
                self._folder = self._absolute(first[1].text if len(first) > 1 else "~")
            case name if name not in _HARMLESS:
                raise NotConvertibleError(f"globs cannot say what {name} does")

    def _found(
        self, arguments: Sequence[Word], others: Sequence[Sequence[Word]]
    ) -> Iterator[tuple[str, bool]]:
        find = read_find(arguments, piped=_piped(others))
        for start in find.starts or (Word(".", ".", bare=True),):
            if start.pattern != start.text or _WILDCARD.search(start.text):
                raise NotConvertibleError(f"where it searches depends on what {start.text} matches")
            base = self._inside(start.text)
            above = self._above(start.text)
            for each in find.alternatives if base is not None else ():
                if not (above and _only_sees_python(each)):
                    yield from _alternative(each, start.text.rstrip("/") + above, base or "")

    def _removed(self, arguments: Sequence[Word]) -> Iterator[str]:
        for word in arguments:
            if word.text.startswith("-"):
                continue
            for path in _alternatives(word.pattern):
                inside = self._inside(self._matched(path))
                if inside is not None:
                    # A shell's * takes no hidden files.
                    parts = ["[!.]*" if part == "*" else part for part in inside.split("/")]
                    yield exactly("/".join(parts)) if inside else "*"

    def _matched(self, pattern: str) -> str:
        """Put the way to `python/` in the place of wildcards that match it: `/tmp/layer/*` takes it whole."""
        parts, way = self._absolute(pattern).split("/"), ROOT.split("/")
        for position, (part, real) in enumerate(zip(parts, way, strict=False)):
            if "[" in part:
                raise NotConvertibleError(f"whether {part} matches {real} is not looked into")
            if not fnmatchcase(real, part):
                break
            parts[position] = real
        return "/".join(parts)

    def _above(self, start: str) -> str:
        """Give the way from a folder down to `python/`; "" where it is that folder or another one."""
        absolute = self._absolute(start).rstrip("/")
        return ROOT.removeprefix(absolute) if f"{ROOT}/".startswith(f"{absolute}/") else ""

    def _absolute(self, path: str) -> str:
        if path.startswith(("~", "-")):
            raise NotConvertibleError(f"where {path} leads is known only when the script runs")
        return posixpath.normpath(posixpath.join(self._folder, path))

    def _inside(self, path: str) -> str | None:
        """Give a path relative to `python/`, "" for a folder above; None where no file of a layer is."""
        absolute = self._absolute(path)
        if absolute == ROOT or f"{ROOT}/".startswith(absolute.rstrip("/") + "/"):
            return ""
        return absolute.removeprefix(f"{ROOT}/") if absolute.startswith(f"{ROOT}/") else None


def _only_sees_python(each: Alternative) -> bool:
    """Tell whether a search from above `python/` comes to nothing but this folder, and leaves it.

    Raises:
        NotConvertibleError: it may take the folder.
    """
    names = [test for test in each.tests if test.kind in ("name", "iname") and not test.negated]
    only_files = Test(kind="type", value="f") in each.tests
    if not only_files and any(fnmatchcase("python", test.value.lower()) for test in names):
        raise NotConvertibleError("it may match the folder python/ as a whole")
    return any(test.kind == "here" for test in each.tests)


def _piped(commands: Sequence[Sequence[Word]]) -> str:
    """Tell what is done to what find prints."""
    if not commands:
        return ""
    first, *more = commands
    if more or not first or first[0].text != "xargs":
        name = first[0].text if first else ""
        if name in _HARMLESS and not more:
            return ""
        raise NotConvertibleError(f"it hands what it finds to {name}")
    words = list(first[1:])
    while words and words[0].text.startswith("-"):
        option = words.pop(0).text
        if option in ("-n", "-P", "-L", "-I", "-d", "-s") and words:
            words.pop(0)
    return removal_of(words)


def _alternative(each: Alternative, printed: str, base: str) -> Iterator[tuple[str, bool]]:
    if each.action != "remove":
        return
    kinds = {test.value for test in each.tests if test.kind == "type" and not test.negated}
    not_folders = any(test.kind == "type" and test.negated and test.value == "d" for test in each.tests)
    if "l" in kinds or (kinds >= {"f", "d"}):
        return  # a layer has no links, and nothing is both
    if any(test.kind == "empty" for test in each.tests):
        if kinds == {"d"}:
            return  # a zip has no empty folders
        raise NotConvertibleError("globs cannot say -empty")
    positive = [test for test in each.tests if test.kind not in ("type", "here") and not test.negated]
    if len(positive) > 1:
        raise NotConvertibleError("it wants several patterns to match at once")
    here = any(test.kind == "here" for test in each.tests)
    folders = kinds == {"d"} and not not_folders
    for glob in _globs(positive[0] if positive else None, printed, base, here=here):
        yield (f"{glob.rstrip('/')}/" if folders else glob), False
    for test in each.tests:
        if test.negated and test.kind != "type":
            yield from ((glob, True) for glob in _globs(test, printed, base, here=False))


def _globs(test: Test | None, printed: str, base: str, *, here: bool) -> tuple[str, ...]:
    if test is None:
        return (
            exactly(base, "*" if here else "") + ("" if here else "/") if base else "/*" if here else "*",
        )
    pattern = either_case(test.value) if test.kind.startswith("i") else test.value
    if test.kind.endswith("name"):
        if "/" in pattern:
            return ()  # no name has a slash
        return (exactly(base, pattern) if here else anywhere_below(base, pattern),)
    if here:
        raise NotConvertibleError("globs cannot say -maxdepth and -path at once")
    return path_globs(pattern, printed, base)


def _alternatives(pattern: str) -> list[str]:
    """Write out `{a,b}` as bash does."""
    start = pattern.find("{")
    end = pattern.find("}", start)
    if start < 0 or end < 0 or "," not in pattern[start:end]:
        return [pattern]
    if "{" in pattern[start + 1 : end]:
        raise NotConvertibleError("it nests braces")
    head, tail = pattern[:start], pattern[end + 1 :]
    return [
        each for middle in pattern[start + 1 : end].split(",") for each in _alternatives(head + middle + tail)
    ]
