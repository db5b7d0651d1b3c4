"""Requirements that nobody writes by hand, and that a file or an index may hold all the same."""

from __future__ import annotations

import pytest
from packaging.requirements import InvalidRequirement

from layercraft.formats.requirement_text import parse_requirement

DEEP = 1500
DIGITS = "9" * 5000


def test_a_requirement_is_read_as_packaging_reads_it() -> None:
    found = parse_requirement("a[x]>=1; python_version > '3'")
    assert (found.name, found.extras, str(found.specifier)) == ("a", {"x"}, ">=1")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a b", "Expected"),
        (f"a; {'(' * DEEP}os_name == 'posix'{')' * DEEP}", "nested too deeply"),
        (f"a=={DIGITS}", "5,003 characters"),
        (f"a; python_version < '{DIGITS}'", "characters"),
    ],
)
def test_what_cannot_be_read_is_no_requirement(text: str, why: str) -> None:
    with pytest.raises(InvalidRequirement, match=why):
        parse_requirement(text)
