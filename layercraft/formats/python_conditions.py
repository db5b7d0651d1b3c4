"""Conditions whose outcome on a Lambda runtime is known without running anything.

They are those that packages put around imports: versions of Python, platforms, TYPE_CHECKING and
`__name__`. All else is unknown.
"""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_COMPARISON = r"\s*(==|!=|<=|>=|<|>)\s*"
_VERSION = re.compile(rf"(?:\w+\.)*version_info(\[:2\])?{_COMPARISON}\(\s*([\d,\s]{{1,40}})\)")
_VERSION_PART = re.compile(rf"(?:\w+\.)*version_info(?:\[([01])\]|\.(major|minor)){_COMPARISON}(\d{{1,4}})")
_NEVER = re.compile(r"(?:\w+\.)*(?:TYPE_CHECKING|MYPY|MYPY_CHECK_RUNNING|PY2)|False|None|0|\"\"")
_ALWAYS = re.compile(r"(?:\w+\.)*PY3|True|1")
_NOT = re.compile(r"(?:not\s+)+")
_TEXT = re.compile(r"([\w.]+(?:\(\))?)\s*(==|!=)\s*\"([\w.]*)\"")
_PREFIX = re.compile(r"(?:\w+\.)*platform\.startswith\(\s*\"([\w.]*)\"\s*\)")
_LONGEST = 500
_TEXTS = {
    "__name__": "imported",  # never "__main__"
    "sys.platform": "linux",
    "os.name": "posix",
    "platform.system()": "Linux",
    "platform.python_implementation()": "CPython",
    "sys.implementation.name": "cpython",
}


def outcome(condition: str, version: tuple[int, int]) -> bool | None:
    """Tell how a condition of an `if` ends under this Python on Linux; None when that is not known."""
    text = condition.strip()
    if len(text) > _LONGEST:
        return None
    while text.startswith("(") and _closing(text) == len(text) - 1:
        text = text[1:-1].strip()
    for word, decisive in (("or", True), ("and", False)):
        parts = re.split(rf"\b{word}\b", text)
        if len(parts) > 1:
            return _joined([outcome(part, version) for part in parts], decisive=decisive)
    negations = _NOT.match(text)
    if negations:
        plain = _simple(text[negations.end() :], version)
        return None if plain is None else plain != (negations[0].count("not") % 2 == 1)
    return _simple(text, version)


def _closing(text: str) -> int:
    """Give the place of the parenthesis that closes the first one; -1 when none does."""
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return position
    return -1


def _joined(outcomes: list[bool | None], *, decisive: bool) -> bool | None:
    if decisive in outcomes:
        return decisive
    return None if None in outcomes else not decisive


def _simple(text: str, version: tuple[int, int]) -> bool | None:
    for form, judge in _FORMS:
        if match := form.fullmatch(text):
            return judge(match, version)
    return None


def _version(match: re.Match[str], version: tuple[int, int]) -> bool | None:
    """Compare with `sys.version_info`, whose third number is not known here."""
    wanted = tuple(int(number) for number in match[3].split(",") if number.strip())
    compare = _OPERATORS[match[2]]
    if match[1]:
        return compare(version, wanted)
    if wanted[:2] == version and len(wanted) > len(version):
        return None
    return compare((*version, 0), wanted)


def _version_part(match: re.Match[str], version: tuple[int, int]) -> bool:
    part = version[1] if match[1] == "1" or match[2] == "minor" else version[0]
    return _OPERATORS[match[3]](part, int(match[4]))


def _text(match: re.Match[str], _: tuple[int, int]) -> bool | None:
    known = _TEXTS.get(match[1])
    return None if known is None else _OPERATORS[match[2]](known, match[3])


def _prefix(match: re.Match[str], _: tuple[int, int]) -> bool:
    return _TEXTS["sys.platform"].startswith(match[1])


_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], tuple[int, int]], bool | None]], ...] = (
    (_NEVER, lambda *_: False),
    (_ALWAYS, lambda *_: True),
    (_VERSION, _version),
    (_VERSION_PART, _version_part),
    (_TEXT, _text),
    (_PREFIX, _prefix),
)
