from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layercraft.formats.core_metadata import CoreMetadata, parse_core_metadata

HEAD = "Metadata-Version: 2.1\nName: A.b\nVersion: 1.0\n"


def parse(text: str) -> CoreMetadata:
    return parse_core_metadata(text.encode())


def test_the_fields_that_resolution_needs_are_read() -> None:
    text = (
        "Metadata-Version: 2.4\nName: A.b\nVersion: 1.0rc1\nSummary: does things\n"
        "Requires-Python: >=3.8, <4\nProvides-Extra: Fast\nProvides-Extra: all\n"
        "Requires-Dist: c>=1\nRequires-Dist: d ; extra == 'Fast'\n\nA description.\n"
    )
    assert parse(text) == CoreMetadata(
        name="A.b",
        version="1.0rc1",
        requires=("c>=1", "d ; extra == 'Fast'"),
        requires_python=">=3.8, <4",
        extras=("Fast", "all"),
    )


def test_what_is_absent_is_empty() -> None:
    assert parse(HEAD) == CoreMetadata(
        name="A.b", version="1.0", requires=(), requires_python=None, extras=()
    )


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_description_is_no_field(newline: str) -> None:
    text = f"{HEAD}Requires-Dist: b\n\nRequires-Dist: not this\n".replace("\n", newline)
    assert parse(text).requires == ("b",)


def test_a_line_that_is_no_field_ends_the_header() -> None:
    assert parse(f"{HEAD}This is prose\nRequires-Dist: not this\n").requires == ()


def test_a_field_may_go_on_in_the_next_line() -> None:
    text = f"{HEAD}License: one\n  two: three\n\tRequires-Dist: not this\nRequires-Dist: b\n      >=1\n"
    assert parse(text).requires == ("b >=1",)


@pytest.mark.parametrize("character", ["\x0b", "\x0c", "\x1c", "\x1e", "\x85", "\u2028", "\u2029"])
def test_only_newlines_part_the_fields(character: str) -> None:
    """`str.splitlines` would end the header here, and the requirements would be lost."""
    assert parse(f"{HEAD}Summary: one{character}two\nRequires-Dist: b\n").requires == ("b",)


def test_field_names_are_read_in_any_case() -> None:
    assert parse("metadata-version: 2.1\nNAME: a\nVersion: 1\nrequires-dist: b").requires == ("b",)


def test_a_byte_order_mark_and_other_encodings_hinder_nothing() -> None:
    data = b"\xef\xbb\xbf" + HEAD.encode() + "Author: Jos\xe9\nRequires-Dist: b\n".encode("latin-1")
    assert parse_core_metadata(data).requires == ("b",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>\n<body>404</body></html>",
        '{"name": "a"}',
        "Name: a\nVersion: 1",
        "Metadata-Version: 2.1\nVersion: 1",
        "Metadata-Version: 2.1\nName: a\n\nVersion: 1",
        "  Metadata-Version: 2.1\nName: a\nVersion: 1",
    ],
)
def test_what_is_no_metadata_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Metadata-Version, Name and Version"):
        parse(text)


values = st.text(string.printable + "éß\u2028", min_size=1).map(
    lambda text: " ".join(text.split("\n")).strip()
)


@given(st.lists(values.filter(bool)), st.binary())
def test_what_was_written_is_read(requires: list[str], description: bytes) -> None:
    lines = "".join(f"Requires-Dist: {each}\n" for each in requires)
    found = parse_core_metadata(f"{HEAD}{lines}\n".encode() + description)
    assert found.requires == tuple(requires)


@given(st.binary())
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    try:
        parse_core_metadata(data)
    except ValueError:
        return
