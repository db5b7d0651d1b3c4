"""The imports of a Python source, and which of them run when the module itself is imported."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from layercraft.formats.python_conditions import outcome
from layercraft.formats.python_source import Block, blocks, decoded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_IMPORT = re.compile(r"(lazy\s+)?import\s+(?P<modules>.+)", re.DOTALL)
_FROM = re.compile(
    r"(lazy\s+)?from(?=[\s.])\s*(?P<dots>(?:\.\s*)*)(?P<module>[\w.\s]*?)(?<=[\s.])import(?=[\s(*])"
    r"(?P<names>.+)",
    re.DOTALL,
)
_MENTION = re.compile(
    rb"""import(?<!\wimport)(?=[ \t(\\*])(?:[ \t]|\\\r?\n)*+
    (?: \((?:[^)\#]++ | \#[^\n]*+)*+ | (?:[^\\\n]++ | \\\r?\n | \\)*+ )""",
    re.VERBOSE,
)
_FROM_TEXT = re.compile(rb"\bfrom\s+([.\w]+)[\s\\]*import")
_IMPORT_TEXT = re.compile(rb"\bimport\b(.*)", re.DOTALL)
_DOTTED = re.compile(rb"[\w.]+")
_OPENERS = ("if", "for", "while", "try")
_WORD = re.compile(r"\w+")
_SUPPRESS = re.compile(r"\bsuppress\s*\((.*)\)", re.DOTALL)
_CATCHES = frozenset(("BaseException", "Exception", "ImportError", "ModuleNotFoundError"))
_EXCEPTION = re.compile(r"\w*(?:Error|Exception|Warning|Interrupt|Exit|Iteration)")


class When(IntEnum):
    """Whether an import runs, and what its failure does; the larger, the less it matters.

    ALWAYS: it runs with the module, and its failure is the module's. PERHAPS: under a condition that
    is not known here, or its failure may be caught. GUARDED: its failure is caught. CALLED: when a
    function is called. NEVER: under a condition that is false.
    """

    ALWAYS = 0
    PERHAPS = 1
    GUARDED = 2
    CALLED = 3
    NEVER = 4


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module: `import a.b` has no names, `from ..a import b` the module "..a"."""

    line: int
    module: str
    names: tuple[str, ...]
    when: When

    @property
    def children(self) -> tuple[str, ...]:
        """The modules that its names are, if they are modules."""
        return tuple(f"{self.module}.{name}" for name in self.names)


def read_imports(source: bytes, version: tuple[int, int]) -> tuple[Import, ...]:
    """Give the import statements of a module, in their order; `version` is the Python that runs it.

    The grammar of the Python that runs this is not asked.

    Raises:
        UnreadableSourceError: a ValueError: the text is no Python of any version.
    """
    return tuple(_Reader(version).imports(blocks(decoded(source)), When.ALWAYS))


def mentions(source: bytes) -> Iterator[bytes]:
    """Give a text for each place that may be an import statement: cheap, and never too few.

    Each holds the words of the statement, and may hold more: docstrings and comments are not told
    from code.
    """
    for match in _MENTION.finditer(source):
        start = match.start()
        begin = source.rfind(b"\n", 0, start) + 1
        while source.endswith((b"\\\n", b"\\\r\n"), 0, begin):
            begin = source.rfind(b"\n", 0, begin - 1) + 1
        yield source[begin : match.end()]


def mentioned_modules(mention: bytes) -> Iterator[str]:
    """Give the modules that a text of `mentions` may import, with their leading dots.

    The first is the one that is imported from; what is imported from it may be modules or not.
    """
    if match := _FROM_TEXT.search(mention):
        module = match[1].decode()
        yield module
        dot = "" if module.endswith(".") else "."
        yield from (f"{module}{dot}{word.decode()}" for word in _DOTTED.findall(mention, match.end()))
    elif match := _IMPORT_TEXT.search(mention):
        yield from (word.decode() for word in _DOTTED.findall(match[1]))


def resolve(module: str, package: str) -> str | None:
    """Give the absolute name of a module that is imported in `package`; None above the top."""
    name = module.lstrip(".")
    dots = len(module) - len(name)
    if not dots:
        return name
    parts = package.split(".") if package else []
    if dots > len(parts):
        return None
    base = ".".join(parts[: len(parts) - dots + 1])
    return f"{base}.{name}" if name else base


class _Reader:
    def __init__(self, version: tuple[int, int]) -> None:
        self._version = version

    def imports(self, statements: Sequence[Block], when: When) -> Iterator[Import]:
        opener = ""
        earlier: bool | None = False  # whether an earlier branch of the same `if` is taken
        for position, block in enumerate(statements):
            if block.keyword in _OPENERS:
                opener, earlier = block.keyword, False
            if not block.keyword:
                yield from _imports(block, when)
                continue
            if block.keyword in ("if", "elif") or (block.keyword, opener) == ("else", "if"):
                own = True if block.keyword == "else" else outcome(block.text, self._version)
                inner = _branch(earlier=earlier, own=own)
                earlier = True if True in (earlier, own) else None if None in (earlier, own) else False
            else:
                inner = _inside(block, statements[position + 1 :])
            yield from self.imports(block.body, max(when, inner))


def _branch(*, earlier: bool | None, own: bool | None) -> When:
    if earlier or own is False:
        return When.NEVER
    return When.ALWAYS if own and earlier is False else When.PERHAPS


def _inside(block: Block, following: Sequence[Block]) -> When:
    """Tell what a compound statement, which is no branch of an `if`, makes of the imports in its body."""
    if block.keyword == "try":
        return _guard(following)
    if block.keyword == "with":
        suppressed = _SUPPRESS.search(block.text)
        return When.GUARDED if suppressed and _CATCHES & {*_WORD.findall(suppressed[1])} else When.ALWAYS
    if block.keyword in ("class", "finally"):
        return When.ALWAYS
    return When.CALLED if block.keyword == "def" else When.PERHAPS


def _guard(following: Sequence[Block]) -> When:
    """Tell what becomes of a failing import in a `try`, from the handlers behind it."""
    for handler in following:
        if handler.keyword != "except":
            break
        names = {*_WORD.findall(handler.text.partition(" as ")[0])}
        if not names or names & _CATCHES:
            raises = handler.body and handler.body[-1].text.startswith("raise")
            return When.ALWAYS if raises else When.GUARDED
        if not all(map(_EXCEPTION.fullmatch, names)):
            return When.PERHAPS
    return When.ALWAYS


def _imports(block: Block, when: When) -> Iterator[Import]:
    if match := _IMPORT.fullmatch(block.text):
        when = When.CALLED if match[1] else when
        for module in match["modules"].split(","):
            name = _dotted(module.partition(" as ")[0])
            if name:
                yield Import(block.number, name, (), when)
    elif match := _FROM.fullmatch(block.text):
        when = When.CALLED if match[1] else when
        names = (name.split() for name in match["names"].strip(" ()").split(","))
        module = _dotted(match["dots"]) + _dotted(match["module"])
        yield Import(block.number, module, tuple(name[0] for name in names if name), when)


def _dotted(text: str) -> str:
    return "".join(text.split())
