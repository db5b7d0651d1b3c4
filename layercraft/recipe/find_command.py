"""What a `find` command removes: its tests as alternatives, each with what it does to what they match."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from layercraft.recipe.shell_words import NotConvertibleError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from layercraft.recipe.shell_words import Word

_PATTERNS = ("-name", "-iname", "-path", "-wholename", "-ipath", "-iwholename")
_WITH_VALUE = (*_PATTERNS, "-type", "-maxdepth", "-mindepth")
_IGNORED = ("-ls", "-depth", "-d", "-true", "-xdev", "-mount", "-noleaf")
_OPTIONS = ("-H", "-L", "-P")
_OR = ("-o", "-or")
_ACTIONS = {"-delete": "remove", "-prune": "prune", "-print": "print", "-print0": "print"}
_EXECUTING = ("-exec", "-execdir")
_DEEPEST = 50  # of `!` and parentheses in each other; no script that a person wrote comes near
_MOST = 1000  # alternatives; parentheses side by side multiply them


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """`-name "*.c"`, or `! -name "*.c"` when `negated`; `value` is a pattern."""

    kind: str
    value: str = ""
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """What must hold all at once, and what is done then: "remove", "prune", "print" or nothing."""

    tests: tuple[Test, ...] = ()
    action: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """The folders where the search starts, and what it may come to there."""

    starts: tuple[Word, ...]
    alternatives: tuple[Alternative, ...]


def read_find(arguments: Sequence[Word], *, piped: str = "") -> Find:
    """Read the words behind `find`; `piped` is what the next command does to what it prints.

    Raises:
        NotConvertibleError: it uses something that globs cannot say.
    """
    words = [word for word in arguments if word.text not in _OPTIONS]
    count = next((n for n, word in enumerate(words) if word.text[:1] in ("-", "(", "!")), len(words))
    parser = _Parser(words[count:])
    found = parser.alternatives()
    if not parser.at_end:
        raise NotConvertibleError(f"it has {parser.rest} where nothing more is expected")
    if piped:
        # Without -print, all is printed that has no action of its own.
        printing = "print" if any(each.action == "print" for each in found) else ""
        found = [replace(each, action=piped) if each.action == printing else each for each in found]
    return Find(starts=tuple(words[:count]), alternatives=tuple(_apart(found)))


def removal_of(command: Sequence[Word]) -> str:
    """Tell what a command does to the files that find gives it: "remove", or "" for nothing.

    Raises:
        NotConvertibleError: it does something else.
    """
    words = [word.text for word in command if word.text not in ("{}", "--")]
    match words:
        case ["rm", *options] if all(option.startswith("-") for option in options):
            return "remove"
        case [] | ["echo" | "ls" | "du" | "wc" | "file" | "printf", *_]:
            return ""
        case ["strip", *_]:
            raise NotConvertibleError("strip changes files; `strip = true` under [cleanup] does so safely")
        case [name, *_]:
            raise NotConvertibleError(f"it runs {name} on what it finds")
    raise NotConvertibleError("it runs a command on what it finds")


class _Parser:
    def __init__(self, words: Sequence[Word]) -> None:
        self._words = list(words)
        self._depth = 0

    @property
    def at_end(self) -> bool:
        return not self._words

    @property
    def rest(self) -> str:
        return self._words[0].text if self._words else "nothing"

    def alternatives(self) -> list[Alternative]:
        found = self._all_at_once()
        while self.rest in _OR:
            self._take()
            found = [*found, *self._all_at_once()]
        return found

    def _all_at_once(self) -> list[Alternative]:
        found = [Alternative()]
        while self._words and self.rest not in (*_OR, ")"):
            if self.rest in ("-a", "-and"):
                self._take()
            following = self._single()
            if len(found) * len(following) > _MOST:
                raise NotConvertibleError(f"it says more than {_MOST} alternatives at once")
            found = [_both(first, second) for first in found for second in following]
        return found

    def _single(self) -> list[Alternative]:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise NotConvertibleError(f"it nests more than {_DEEPEST} tests in each other")
        found = self._one()
        self._depth -= 1
        return found

    def _one(self) -> list[Alternative]:
        word = self._take()
        if word.text in ("!", "-not"):
            return _none_of(self._single())
        if word.text == "(":
            inner = self.alternatives()
            if self._take().text != ")":
                raise NotConvertibleError("a parenthesis has no end")
            return inner
        return [self._primary(word.text)]

    def _primary(self, name: str) -> Alternative:
        if name in _WITH_VALUE:
            return Alternative(tests=_tests(name, self._take()))
        if name in _EXECUTING:
            return Alternative(action=removal_of(self._command()))
        if name in _ACTIONS:
            return Alternative(action=_ACTIONS[name])
        if name in ("-empty", *_IGNORED):
            return Alternative(tests=(Test(kind="empty"),) if name == "-empty" else ())
        raise NotConvertibleError(f"globs know nothing of {name}")

    def _command(self) -> list[Word]:
        command: list[Word] = []
        while (word := self._take()).text not in (";", "+"):
            command.append(word)
        return command

    def _take(self) -> Word:
        if not self._words:
            raise NotConvertibleError("it ends too early")
        return self._words.pop(0)


def _tests(name: str, value: Word) -> tuple[Test, ...]:
    if name in _PATTERNS:
        kind = "name" if name.endswith("iname") or name == "-name" else "path"
        if name in ("-iname", "-ipath", "-iwholename"):
            kind = f"i{kind}"
        return (Test(kind=kind, value=value.text),)
    if name in ("-maxdepth", "-mindepth"):
        if value.text != "1":
            raise NotConvertibleError(f"globs cannot say {name} {value.text}")
        return (Test(kind="here"),) if name == "-maxdepth" else ()
    if value.text not in ("f", "d", "l"):
        raise NotConvertibleError(f"globs cannot say -type {value.text}")
    return (Test(kind="type", value=value.text),)


def _both(first: Alternative, second: Alternative) -> Alternative:
    if first.action == "remove":  # what is tested after the removal has no say
        return first
    action = second.action or first.action
    return Alternative(tests=first.tests + second.tests, action=action)


def _none_of(alternatives: list[Alternative]) -> list[Alternative]:
    if any(each.action or len(each.tests) != 1 for each in alternatives):
        raise NotConvertibleError("it denies more than one test at once")
    tests = [each.tests[0] for each in alternatives]
    return [Alternative(tests=tuple(replace(test, negated=not test.negated) for test in tests))]


def _apart(alternatives: Sequence[Alternative]) -> list[Alternative]:
    """Let each alternative hold only where none before it did, as `-o` means it."""
    before: list[Test] = []
    apart = []
    for each in alternatives:
        if each.action == "remove":
            apart.append(replace(each, tests=(*each.tests, *before)))
        elif len(each.tests) == 1:
            before.append(replace(each.tests[0], negated=not each.tests[0].negated))
        elif each.tests and each is not alternatives[-1]:
            raise NotConvertibleError("it passes over what several tests match")
    return apart
