"""The text of a requirements file: its encoding, its logical lines, its variables.

The rules are those of pip's requirements file format
(https://pip.pypa.io/en/stable/reference/requirements-file-format/). Everything here is pure.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layercraft.formats.addresses import without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it starts with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),  # what PowerShell's redirection writes
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED_ENCODING = re.compile(rb"#.*?coding[:=]\s*([-\w.]+)")  # PEP 263
_COMMENT = re.compile(r"(?:^|\s+)#.*$")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_QUOTED_LIMIT = 100
_OPTIONS = re.compile(r"(?:^|\s)(?=-)")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogicalLine:
    """What stands between two line ends that no backslash joins, without its comment."""

    number: int
    """Where it begins, counted from 1."""

    text: str


def decode(data: bytes) -> str:
    """Decode a requirements file: by its byte order mark, its PEP 263 comment, or as UTF-8.

    Raises:
        UnicodeDecodeError: bytes that are not of this encoding.
        LookupError: the comment names an unknown encoding.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding)
    for line in data.split(b"\n", 2)[:2]:
        if declared := _DECLARED_ENCODING.match(line):
            return data.decode(declared[1].decode("ascii"))
    return data.decode("utf-8")


def logical_lines(text: str) -> Iterator[LogicalLine]:
    r"""Give the lines that say something: joined at a final `\`, comments and blank lines left out.

    A `#` opens a comment at the line's start or after white space. A line that is only a comment ends a
    continuation.
    """
    parts: list[str] = []
    first = 1
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        first = first if parts else number
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment:
            parts.append(line.rstrip("\\"))
            continue
        joined = _COMMENT.sub("", "".join([*parts, " " if is_comment else "", line])).strip()
        parts = []
        if joined:
            yield LogicalLine(number=first, text=joined)


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Put the environment's values in for each `${NAME}` (capitals, digits and `_`).

    Raises:
        KeyError: the name of a variable that is not set, or empty.
    """

    def value(match: re.Match[str]) -> str:
        found = environment.get(match[1])
        if not found:
            raise KeyError(match[1])
        return found

    return _VARIABLE.sub(value, text)


def split_options(text: str) -> tuple[str, list[str]]:
    """Part a line into what stands before its first option, and the words from there on.

    Raises:
        ValueError: a quotation mark is never closed; as the end of a sentence that begins with the line.
    """
    import shlex

    match = _OPTIONS.search(text)
    if match is None:
        return text, []
    try:
        return text[: match.start()].rstrip(), shlex.split(text[match.end() :])
    except ValueError as error:
        raise ValueError("opens a quotation mark that nothing closes") from error


def quoted(text: str) -> str:
    """Quote a person's text for a message: one line, not too long, no credentials."""
    line = " ".join(without_credentials(text).split())
    return f"`{line}`" if len(line) <= _QUOTED_LIMIT else f"`{line[:_QUOTED_LIMIT]}…`"
