"""No address is told with the user name and password in it."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layercraft.formats.addresses import without_credentials

VISIBLE = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/?#[]\\"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("https://h.example/simple/a/", "https://h.example/simple/a/"),
        ("https://user:secret@h.example:8080/a@b/?c=@", "https://h.example:8080/a@b/?c=@"),
        ("https://user@h.example", "https://h.example"),
        ("https://user:p@ss@h.example/x", "https://h.example/x"),
        ("//user:secret@h.example/x", "//h.example/x"),
        (
            "x @ https://u:s@h.example/x.whl, y @ https://u:s@h.example",
            "x @ https://h.example/x.whl, y @ https://h.example",
        ),
        ("write to me@h.example", "write to me@h.example"),
        ("http://u:s@[::1/malformed", "http://[::1/malformed"),
    ],
)
def test_only_credentials_are_left_out(text: str, told: str) -> None:
    assert without_credentials(text) == told


@given(VISIBLE, VISIBLE, VISIBLE)
def test_the_rest_of_an_address_stays_as_it_is(user: str, password: str, path: str) -> None:
    address = without_credentials(f"https://{user}:{password}@h.example:80/{path}?q#f")
    assert address == f"https://h.example:80/{path}?q#f"
    assert urlsplit(address).username is None
