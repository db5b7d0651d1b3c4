"""Addresses as they may be told: in messages, locks and caches."""

from __future__ import annotations

import re

# The user information of RFC 3986, section 3.2.1, and the @ behind it; a password may hold an @ itself.
_CREDENTIALS = re.compile(r"(?<=//)[^/?#\s]*@")


def without_credentials(text: str) -> str:
    """Give a text, a URL or one with URLs in it, without the user name and password of each."""
    return _CREDENTIALS.sub("", text)
