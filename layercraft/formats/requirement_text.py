"""One requirement as text (PEP 508), which may come from anywhere."""

from __future__ import annotations

from packaging.requirements import InvalidRequirement, Requirement

LONGEST = 4000
"""Characters of a requirement; Python reads no number of more than 4300 digits."""


def parse_requirement(text: str) -> Requirement:
    """Parse a requirement, however long and however deeply nested the text is.

    Raises:
        InvalidRequirement: the text is not valid by PEP 508, or no tool wrote it for people.
    """
    if len(text) > LONGEST:
        raise InvalidRequirement(f"it has {len(text):,} characters, and {LONGEST:,} are the most")
    try:
        return Requirement(text)
    except RecursionError as error:
        raise InvalidRequirement("its marker is nested too deeply") from error
