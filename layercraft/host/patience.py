"""How often a request is tried, how long the pauses are, and how giving up reads."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from layercraft.errors import IndexUnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from layercraft.host.transport import BrokenConnectionError, Reply

TRIES = 4
FIRST_PAUSE = 0.5  # seconds; doubled with each try, and shortened by up to a half at random
LONGEST_PAUSE = 60.0  # seconds; a longer Retry-After is cut to this
_RENEWED_BY = 1 << 20  # bytes that arrived and make up for a failure

_PASSING = frozenset({429, 500, 502, 503, 504})
_TIMES = {1: "", 2: " twice", 3: " three times", 4: " four times"}


class Patience:
    """The tries of one request: pauses between them, raises IndexUnreachableError at the end."""

    def __init__(self, url: str, pause: Callable[[float], None]) -> None:
        self._url = url
        self._pause = pause
        self._failures = 0
        self._arrived = 0

    def advanced(self, size: int) -> None:
        """Note that `size` bytes arrived: a long file may break more often than a short one."""
        self._arrived += size
        if self._arrived >= _RENEWED_BY:
            self._failures = self._arrived = 0

    def broken(self, error: BrokenConnectionError) -> None:
        """Pause after a connection that gave no whole answer, or give up."""
        if not error.passing:
            raise IndexUnreachableError(f"{host(self._url)} {error.reason}", hint=error.hint) from error
        self._failed(error.reason, None)

    def refused(self, reply: Reply) -> None:
        """Pause after a status that may pass, or give up."""
        if reply.status not in _PASSING:
            raise IndexUnreachableError(f"{place(self._url)} answered {phrase(reply.status)}")
        self._failed(f"answered {phrase(reply.status)}", reply.headers.get("retry-after"))

    def _failed(self, what: str, retry_after: str | None) -> None:
        self._failures += 1
        if self._failures >= TRIES:
            raise IndexUnreachableError(
                f"{place(self._url)} {what}{_TIMES[TRIES]}",
                hint="try again later, or with --offline if an earlier run filled the cache",
            )
        longest = FIRST_PAUSE * 2 ** (self._failures - 1)
        asked = _seconds(retry_after) if retry_after else None
        jittered = longest * random.uniform(0.5, 1)  # noqa: S311 (spreads retries; guards no secret)
        self._pause(jittered if asked is None else min(asked, LONGEST_PAUSE))


def host(url: str) -> str:
    """The host of an address, with its port if one is given, without credentials."""
    parts = _split(url)
    return parts.netloc.rpartition("@")[2] or parts.path


def place(url: str) -> str:
    """Host and path of an address: what may be told. Credentials and query may be secrets."""
    parts = _split(url)
    return parts.netloc.rpartition("@")[2] + parts.path


def phrase(status: int) -> str:
    """Give a status with its name: `404 (Not Found)`."""
    try:
        return f"{status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return str(status)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", "a malformed address", "", "")


def _seconds(retry_after: str) -> float | None:
    """Read a Retry-After header (RFC 9110, section 10.2.3): seconds, or a date."""
    if retry_after.strip().isdecimal():
        return float(retry_after)
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
