"""The options that a line of a requirements file may hold, and what each means to a layer.

The list is pip's (https://pip.pypa.io/en/stable/reference/requirements-file-format/#supported-options).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from layercraft.recipe.requirements import INSTEAD
from layercraft.spelling import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Effect = Literal["requirements", "constraints", "index-url", "pre", "require-hashes", "none", "refused"]


@dataclass(frozen=True, slots=True)
class Option:
    """One option: how it is written, and what it does."""

    spellings: tuple[str, ...]
    takes_value: bool
    effect: Effect
    why: str = ""
    """Why it is refused, as the end of a sentence that begins with the line."""

    hint: str = ""
    """The way out, where it is refused."""


_ONE_INDEX = "give one index with --index-url; several are not supported yet"
_PRE = "use --pre for all packages, or ask for one as NAME>=1.0rc1"

_OPTIONS = (
    Option(("-r", "--requirement"), True, "requirements"),
    Option(("-c", "--constraint"), True, "constraints"),
    Option(("-i", "--index-url", "--pypi-url"), True, "index-url"),
    Option(("--pre",), False, "pre"),
    Option(("--require-hashes",), False, "require-hashes"),
    # Wheels are all that is ever taken, certificates are always checked, and pip's features are pip's.
    Option(("--no-require-hashes",), False, "none"),
    Option(("--only-binary",), True, "none"),
    Option(("--prefer-binary",), False, "none"),
    Option(("--trusted-host",), True, "none"),
    Option(("--use-feature",), True, "none"),
    Option(("-e", "--editable"), True, "refused", "is an editable install, which no layer can hold", INSTEAD),
    Option(("-f", "--find-links"), True, "refused", "looks for wheels beside the index", _ONE_INDEX),
    Option(("--extra-index-url",), True, "refused", "asks for a second index", _ONE_INDEX),
    Option(("--no-index",), False, "refused", "leaves no index to ask", _ONE_INDEX),
    Option(("--no-binary",), True, "refused", "asks for a build from source; only wheels are taken", INSTEAD),
    Option(("--all-releases",), True, "refused", "asks for the pre-releases of single packages", _PRE),
    Option(("--only-final",), True, "refused", "keeps out the pre-releases of single packages", _PRE),
)
_BY_SPELLING = {spelling: option for option in _OPTIONS for spelling in option.spellings}


def read_options(words: Sequence[str]) -> Iterator[tuple[Option, str]]:
    """Give each option among a line's words with its value ("" where it takes none).

    Raises:
        ValueError: an unknown option, a missing value, or a word that belongs to no option; as the end of
            a sentence that begins with the line.
    """
    remaining = iter(words)
    for word in remaining:
        spelling, value = _split(word)
        option = _BY_SPELLING.get(spelling)
        if option is None:
            raise ValueError(f"has the unknown option {spelling}{suggestion(spelling, _BY_SPELLING)}")
        if option.takes_value and value is None:
            value = next(remaining, "")
        if option.takes_value == (not value):
            raise ValueError(f"{'lacks' if option.takes_value else 'has'} a value for {spelling}")
        yield option, value or ""


def _split(word: str) -> tuple[str, str | None]:
    """Part `--name=value` and `-nvalue` as getopt does."""
    if not word.startswith("--") and word[:2] in _BY_SPELLING and len(word) > 2:  # noqa: PLR2004 (a dash and a letter)
        return word[:2], word[2:]
    spelling, equals, value = word.partition("=")
    return spelling, value if equals else None
