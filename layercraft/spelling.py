"""What a mistyped name may stand for, and how that is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Give the known name that looks most like `name`, whatever its case; None when none comes near."""
    from difflib import get_close_matches

    by_folded = {candidate.casefold(): candidate for candidate in known}
    found = get_close_matches(name.casefold(), by_folded, n=1)
    return by_folded[found[0]] if found else None


def suggestion(name: str, known: Iterable[str]) -> str:
    """Give what to add to a message that refuses a name: "; did you mean X?", or "" when none comes near."""
    found = nearest(name, known)
    return f"; did you mean {found}?" if found else ""
