"""Shell scripts cut into lines and words: as much of POSIX's shell language as `rm` and `find` need.

What goes further (substitutions of commands, here-documents, variables that nobody has set) is refused
by name, never guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TOKEN = re.compile(
    r"""(?P<joined>\\\n)
    | (?P<space>[ \t\r]+)
    | (?P<newline>\n)
    | (?P<redirection>(?:(?<![^\s;&|()])\d+)?(?:<<<|<<-?|>>|>\||[<>]&|[<>])|&>>?)
    | (?P<operator>&&|\|\||\|&|;;|[;&|()])
    | '(?P<single>[^']*)'
    | "(?P<double>(?:[^"\\]|\\.)*)"
    | \\(?P<escaped>.)
    | (?P<variable>\$(?:\w+|\{\w+\}))
    | (?P<plain>[^\s'"\\;&|()<>$]+)
    | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_INSIDE = re.compile(r"\\([$`\"\\\n])|(\$(?:\w+|\{\w+\}))|(`|\$\()")
_SPECIAL = re.compile(r"([*?\[\]\\])")


class NotConvertibleError(ValueError):
    """Why a part of a script cannot be said in globs."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a command: `text` as the command gets it, `pattern` with quoted wildcards escaped.

    `bare` tells that nothing of it was quoted.
    """

    text: str
    pattern: str
    bare: bool


@dataclass(frozen=True, slots=True)
class Operator:
    """`;`, `&&`, `|`, `(`, or a redirection such as `2>`."""

    text: str
    redirects: bool = False


Token = Word | Operator


def script_lines(text: str) -> Iterator[tuple[int, str]]:
    """Give each line that says something, joined where quotes and backslashes join lines, and its number.

    Comments are left out.
    """
    number, start, position, at_word = 1, 0, 0, False
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:  # a backslash at the very end
            break
        if match["plain"] and match["plain"].startswith("#") and not at_word:
            position = text.find("\n", position) % (len(text) + 1)
            text = text[: match.start()] + text[position:]
            position = match.start()
            continue
        position = match.end()
        at_word = not (match["space"] or match["newline"] or match["operator"] or match["joined"])
        if match["newline"]:
            if line := text[start:position].strip():
                yield number, line
            number += text.count("\n", start, position)
            start = position
    if line := text[start:].strip():
        yield number, line


def tokens(line: str, variables: Mapping[str, str]) -> Iterator[Token]:
    """Cut one line into words and operators, with the values of variables in place.

    Raises:
        NotConvertibleError: a quote has no end, or a value is known only when the script runs.
    """
    pieces: list[Word] = []
    for match in _TOKEN.finditer(line):
        kind = match.lastgroup or ""
        if kind in ("space", "newline", "redirection", "operator"):
            if pieces:
                yield _joined(pieces)
                pieces = []
            if kind in ("redirection", "operator"):
                yield Operator(match[0], redirects=kind == "redirection")
        elif kind != "joined":
            pieces.append(_piece(match, kind, variables))
    if pieces:
        yield _joined(pieces)


def _piece(match: re.Match[str], kind: str, variables: Mapping[str, str]) -> Word:
    text = match[kind]
    if kind == "plain":
        if "`" in text:
            raise NotConvertibleError("what a command prints is known only when the script runs")
        return Word(text, text, bare=True)
    if kind == "variable":
        value = _value(text, variables)
        return Word(value, value, bare=True)
    if kind == "double":
        text = _INSIDE.sub(lambda inner: _inside(inner, variables), text)
    elif kind == "other":
        raise NotConvertibleError(
            "a quote has no end" if text in "'\"" else "what it expands to is known only when the script runs"
        )
    return Word(text, _SPECIAL.sub(r"\\\1", text), bare=False)


def _inside(match: re.Match[str], variables: Mapping[str, str]) -> str:
    """Give what stands in double quotes for an escape or a variable."""
    if match[3]:
        raise NotConvertibleError("what a command prints is known only when the script runs")
    if match[2]:
        return _value(match[2], variables)
    return "" if match[1] == "\n" else match[1]


def _value(reference: str, variables: Mapping[str, str]) -> str:
    name = reference.strip("${}")
    if name not in variables:
        raise NotConvertibleError(f"the value of {reference} is known only when the script runs")
    return variables[name]


def _joined(pieces: list[Word]) -> Word:
    return Word(
        "".join(piece.text for piece in pieces),
        "".join(piece.pattern for piece in pieces),
        bare=all(piece.bare for piece in pieces),
    )
