"""Index answers kept between runs, as HTTP caching says (RFC 9111, a private cache).

An answer that is fresh is given without asking. A stale one is asked about by its ETag or date, and
kept when the server says that it did not change. A server that cannot be reached is an error, also
where an old answer is at hand: only offline is old good enough.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from layercraft.formats.addresses import without_credentials
from layercraft.host.client import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from layercraft.host.cache import Cache
    from layercraft.host.client import Client

LONGEST_ABSENCE = 600
"""Seconds for which a 404 is believed at most: a package may be published any minute."""

_KIND = "answers"
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age\s*=\s*\"?(\d{1,9})")
_NO_STORE = re.compile(r"(?:^|[,\s])no-store(?:$|[,\s])")
_NO_CACHE = re.compile(r"(?:^|[,\s])no-cache(?:$|[,\s])")
_KEPT_HEADERS = ("content-type", "etag", "last-modified")
_FOUND = 200
_UNCHANGED = 304
_ABSENT = 404
_KEPT_STATUSES = (_FOUND, _ABSENT)


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    status: int
    url: str  # empty: as asked
    headers: dict[str, str]
    stored: float  # seconds since the epoch
    lifetime: int  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    answer: Answer
    stored: float
    lifetime: int


class CachedAnswers:
    """A client's GET with a memory on disk; safe for many threads and processes at once."""

    def __init__(self, client: Client, cache: Cache, *, now: Callable[[], float] = time.time) -> None:
        self._client = client
        self._cache = cache
        self._now = now

    def get(self, url: str, *, accept: str, lifetime: int) -> Answer:
        """Give the answer of a URL in the media types of `accept`, from the cache while it is fresh.

        Fresh means: as long as Cache-Control says, else `lifetime` seconds; a 404 at most 10 minutes.
        Answers other than 200 and 404 are given and not kept. Offline, any age will do.

        Raises:
            IndexUnreachableError: the host gives no answer.
            OfflineError: the client is offline, and the answer is not in the cache.
        """
        key = hashlib.sha256(f"{accept}\n{url}".encode()).hexdigest()
        kept = self._kept(key, url)
        if kept is not None and (self._client.offline or 0 <= self._now() - kept.stored < kept.lifetime):
            return kept.answer
        answer = self._client.get(url, {"accept": accept, **_conditions(kept)})
        if answer.status == _UNCHANGED and kept is not None:
            answer = _refreshed(kept, answer)
        if answer.status in _KEPT_STATUSES:
            self._keep(key, url, answer, lifetime)
        return answer

    def _kept(self, key: str, url: str) -> _Kept | None:
        entry = self._cache.read_with_head(_KIND, key)
        if entry is None:
            return None
        try:
            head = msgspec.json.decode(entry[0], type=_Head)
        except msgspec.DecodeError:
            return None
        answer = Answer(status=head.status, headers=head.headers, body=entry[1], url=head.url or url)
        return _Kept(answer=answer, stored=head.stored, lifetime=head.lifetime)

    def _keep(self, key: str, url: str, answer: Answer, lifetime: int) -> None:
        control = answer.headers.get("cache-control", "").lower()
        if _NO_STORE.search(control):
            return
        head = _Head(
            status=answer.status,
            url="" if answer.url == url else without_credentials(answer.url),
            headers={name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers},
            stored=self._now(),
            lifetime=_lifetime(answer, control, lifetime),
        )
        self._cache.write(_KIND, key, answer.body, head=msgspec.json.encode(head))


def _conditions(kept: _Kept | None) -> dict[str, str]:
    if kept is None or kept.answer.status != _FOUND:
        return {}
    headers = kept.answer.headers
    if "etag" in headers:
        return {"if-none-match": headers["etag"]}
    if "last-modified" in headers:
        return {"if-modified-since": headers["last-modified"]}
    return {}


def _refreshed(kept: _Kept, answer: Answer) -> Answer:
    """The kept answer with the headers that came with 304 (RFC 9111, section 3.2)."""
    old = kept.answer
    return Answer(status=old.status, headers={**old.headers, **answer.headers}, body=old.body, url=old.url)


def _lifetime(answer: Answer, control: str, lifetime: int) -> int:
    if _NO_CACHE.search(control):
        return 0
    if found := _MAX_AGE.search(control):
        age = answer.headers.get("age", "")
        lifetime = max(0, int(found[1]) - (int(age) if age.isdecimal() else 0))
    return min(lifetime, LONGEST_ABSENCE) if answer.status == _ABSENT else lifetime
