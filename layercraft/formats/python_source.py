"""Python source cut into logical lines and blocks, whatever version of Python it is written for.

`ast` knows the grammar of the Python that runs it and no later one. What tells where statements
begin, how deep they are indented and what is text has hardly changed: strings, brackets, comments
and indentation, as the Python reference tells in "Lexical analysis", with the nested f-strings of
PEP 701 and the t-strings of PEP 750.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TOKEN = re.compile(
    r"""(?P<prefix>(?<!\w)[rRbBuUfFtT]{1,2})?(?P<quote>\"{3}|'{3}|["'])
    | (?P<comment>\#[^\n]*)
    | (?P<bracket>[()\[\]{}])
    | (?P<joined>\\\n)
    | (?P<newline>\n)""",
    re.VERBOSE,
)
_REST = {
    '"': re.compile(r'(?:[^\\"\n]++|\\.)*+"', re.DOTALL),
    "'": re.compile(r"(?:[^\\'\n]++|\\.)*+'", re.DOTALL),
    '"""': re.compile(r'(?:[^\\"]++|\\.|"(?!""))*+"""', re.DOTALL),
    "'''": re.compile(r"(?:[^\\']++|\\.|'(?!''))*+'''", re.DOTALL),
}
_FORMATTED = re.compile(r"\\N\{[^{}\n]*\}|\\[^{}]|\{\{|\}\}|[{}]|\"{3}|'{3}|[\"'\n]", re.DOTALL)
_FIELD = re.compile(rf"{_TOKEN.pattern} | (?P<colon>:)", re.VERBOSE)
_PLAIN_STRING = re.compile(r"[\w.]*")
_INDENT = re.compile(r"[ \t\f]*")
_HEADER = re.compile(r"[()\[\]{}]|:(?!=)|\blambda\b")
_COMPOUND = re.compile(
    r"(?:async\s+)?(if|elif|else|for|while|try|except|finally|with|def|class|match|case)\b\s*"
)
_DEEPEST = 100  # levels of indentation; CPython's own limit


class UnreadableSourceError(ValueError):
    """The text is no Python of any version: a string or a bracket has no end."""


class Line(NamedTuple):
    """A logical line: the number of its first physical line, its column, its text without comments.

    Strings are left out but for their quotes, except short ones made of word characters and dots.
    """

    number: int
    column: int
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """A statement: `keyword` is empty for a simple one, else what begins the compound one.

    `text` is the statement, for a compound one what stands between keyword and colon; `body` holds
    the statements below it.
    """

    number: int
    keyword: str
    text: str
    body: list[Block] = field(default_factory=list)


def decoded(source: bytes) -> str:
    """Give a source's text. Statements are found in any encoding that has ASCII in it (PEP 263)."""
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = source.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def blocks(text: str) -> list[Block]:
    """Give the statements of a module, those of compound statements below them.

    Raises:
        UnreadableSourceError: a string or a bracket has no end, or is nested beyond reason.
    """
    top: list[Block] = []
    open_bodies: list[tuple[int, list[Block]]] = [(-1, top)]
    for line in logical_lines(text):
        while line.column <= open_bodies[-1][0]:
            open_bodies.pop()
        statements = list(_statements(line))
        open_bodies[-1][1].extend(statements)
        if statements and statements[-1].keyword:
            open_bodies.append((line.column, statements[-1].body))
            if len(open_bodies) > _DEEPEST:
                raise UnreadableSourceError(f"line {line.number}: it is indented beyond reason")
    return top


def _statements(line: Line) -> Iterator[Block]:
    """Cut a line at its semicolons; what follows the colon of a compound statement is its body."""
    compound = _COMPOUND.match(line.text)
    end = _header_end(line.text) if compound else None
    if compound is None or end is None:
        yield from _simple(line.number, line.text)
    else:
        header = line.text[compound.end() : end].strip()
        yield Block(line.number, compound[1], header, list(_simple(line.number, line.text[end + 1 :])))


def _simple(number: int, text: str) -> Iterator[Block]:
    return (Block(number, "", part.strip()) for part in text.split(";") if part.strip())


def _header_end(text: str) -> int | None:
    """Give the place of the colon that ends a header: not one in brackets, of `:=` or of a lambda."""
    depth = lambdas = 0
    for match in _HEADER.finditer(text):
        if match[0] in "([{":
            depth += 1
        elif match[0] in ")]}":
            depth -= 1
        elif depth == 0 and match[0] == "lambda":
            lambdas += 1
        elif depth == 0 and match[0] == ":":
            if not lambdas:
                return match.start()
            lambdas -= 1
    return None


def logical_lines(text: str) -> Iterator[Line]:
    """Give the lines of a module, each joined where brackets and backslashes join it; none is empty.

    Raises:
        UnreadableSourceError: a string or a bracket has no end.
    """
    scanner = _Scanner(text)
    position, number = 0, 1
    while position < len(text):
        indent = _INDENT.match(text, position)
        column = _column(indent[0]) if indent else 0
        line, end = scanner.line(position)
        if line:
            yield Line(number, column, line)
        number += text.count("\n", position, end)
        position = end


def _column(indent: str) -> int:
    return len(indent.rpartition("\f")[2].expandtabs(8))


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text

    def line(self, position: int) -> tuple[str, int]:
        """Give the logical line that begins at `position`, and where the next one begins."""
        text, start, depth = self._text, position, 0
        pieces: list[str] = []
        while match := _TOKEN.search(text, position):
            pieces.append(text[position : match.start()])
            position = match.end()
            if match["quote"]:
                end = self._string_end(match)
                pieces.append(_shown(text[match.start("quote") : end]))
                position = end
            elif match["bracket"]:
                depth += 1 if match[0] in "([{" else -1
                pieces.append(match[0])
            elif match["newline"] and depth <= 0:
                return "".join(pieces).strip(), position
            elif not match["comment"]:
                pieces.append(" ")
        if depth > 0:
            raise self._unreadable(start, "a bracket has no end")
        pieces.append(text[position:])
        return "".join(pieces).strip(), len(text)

    def _string_end(self, match: re.Match[str], depth: int = 0) -> int:
        if {*"fFtT"} & {*(match["prefix"] or "")}:
            return self._formatted_end(match.end(), match["quote"], depth)
        rest = _REST[match["quote"]].match(self._text, match.end())
        if rest is None:
            raise self._unreadable(match.start(), "a string has no end")
        return rest.end()

    def _formatted_end(self, position: int, quote: str, depth: int) -> int:
        """Give where an f-string or t-string ends: its fields may hold strings of the same quotes."""
        start = position
        while match := _FORMATTED.search(self._text, position):
            found, position = match[0], match.end()
            if found.startswith(quote):
                return match.start() + len(quote)
            if found == "{":
                position = self._field_end(position, depth + 1)
            elif found == "\n" and len(quote) == 1:
                break
            elif found[0] in "\"'" and len(found) > 1:
                position = match.start() + 1
        raise self._unreadable(start, "a string has no end")

    def _field_end(self, position: int, depth: int) -> int:
        """Give the place behind the brace that ends a replacement field (PEP 701)."""
        start, brackets = position, 0
        if depth > _DEEPEST:
            raise self._unreadable(start, "strings are nested beyond reason")
        while match := _FIELD.search(self._text, position):
            position = match.end()
            if match["quote"]:
                position = self._string_end(match, depth)
            elif match["colon"] and brackets == 0:
                return self._specification_end(position, depth)
            elif match["bracket"]:
                if match[0] == "}" and brackets == 0:
                    return position
                brackets += 1 if match[0] in "([{" else -1
        raise self._unreadable(start, "a string has no end")

    def _specification_end(self, position: int, depth: int) -> int:
        start = position
        while (found := min(self._find("{", position), self._find("}", position))) < len(self._text):
            if self._text[found] == "}":
                return found + 1
            position = self._field_end(found + 1, depth + 1)
        raise self._unreadable(start, "a string has no end")

    def _find(self, character: str, position: int) -> int:
        found = self._text.find(character, position)
        return len(self._text) if found < 0 else found

    def _unreadable(self, position: int, why: str) -> UnreadableSourceError:
        line = self._text.count("\n", 0, position) + 1
        return UnreadableSourceError(f"line {line}: {why}")


def _shown(string: str) -> str:
    quotes = 3 if string[:3] in ('"""', "'''") else 1
    inner = string[quotes:-quotes]
    return f'"{inner}"' if _PLAIN_STRING.fullmatch(inner) else '""'


def walk(statements: Sequence[Block]) -> Iterator[Block]:
    """Give all statements, those of bodies after the one that they belong to."""
    for block in statements:
        yield block
        yield from walk(block.body)
