"""HTTP GET for indexes and files: tried again, resumed where it broke, refused in one clear line.

Nothing here knows what an index is. `transport` holds the connections; this module decides what
counts as an answer, when to ask again, and how a refusal reads. Credentials inside an address are
sent, never told.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from layercraft.errors import IndexUnreachableError, OfflineError
from layercraft.host.patience import Patience, place
from layercraft.host.transport import BrokenConnectionError, Reply, Transport

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Generator, Iterator, Mapping

BODY_LIMIT = 256 << 20
"""Bytes that `Client.get` takes at most, decoded: an index may be hostile, and no page is so long."""

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_OK = 200
_PARTIAL = 206
_UNSATISFIABLE = 416
_ANSWERS = frozenset({304, 401, 403, 404, 410, _UNSATISFIABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer: the status, headers with lower-case keys, and the decoded body.

    `url` is the address that answered, after redirects: relative links are joined with it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str = ""


class Client:
    """Asks index and file hosts; safe for up to 32 threads at once. Use as a context manager.

    Nothing is imported or opened before the first request. `pause` sleeps between tries (seconds);
    `user_agent` is "layercraft/VERSION" unless given, and `trusted` as `Transport` takes it. With
    `offline`, every request is refused.
    """

    def __init__(
        self,
        *,
        offline: bool = False,
        user_agent: str | None = None,
        pause: Callable[[float], None] = time.sleep,
        trusted: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self.offline = offline
        self._pause = pause
        self._transport = Transport(user_agent, trusted)

    def get(self, url: str, headers: Mapping[str, str] = _NO_HEADERS) -> Answer:
        """Give the answer to a GET: any 2xx, 304, 401, 403, 404, 410 or 416.

        429, 500, 502, 503, 504 and broken connections are tried up to 4 times, with growing pauses or
        the server's Retry-After (RFC 9110, section 10.2.3), each at most 60 s. Pages are asked for
        with gzip, ranges as they are.

        Raises:
            IndexUnreachableError: no answer, another status, or a body over 256 MiB; names the host.
            OfflineError: the client is offline.
        """
        self._require_network(url)
        encoding = "identity" if any(name.lower() == "range" for name in headers) else "gzip"
        asked = {"accept-encoding": encoding, **headers}
        patience = Patience(url, self._pause)
        while True:
            try:
                with self._transport.open(url, asked) as reply:
                    if _is_success(reply) or reply.status in _ANSWERS:
                        body = _read(reply, url)
                        return Answer(status=reply.status, headers=reply.headers, body=body, url=reply.url)
                    refusal = reply
            except BrokenConnectionError as error:
                patience.broken(error)
            else:
                patience.refused(refusal)

    @contextmanager
    def stream(self, url: str, offset: int = 0) -> Generator[Iterator[bytes]]:
        """Give the bytes of a file from `offset` on, in chunks as they arrive.

        A broken read goes on where it ended: by Range (RFC 9110, section 14) where the server allows
        it, else by reading anew and dropping what was given. So the chunks are one unbroken body.

        Raises:
            IndexUnreachableError: while iterated: no answer, any status but success, or a file that
                changed between two reads; names the host.
            OfflineError: the client is offline.
        """
        self._require_network(url)
        chunks = self._chunks(url, offset)
        try:
            yield chunks
        finally:
            chunks.close()

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _require_network(self, url: str) -> None:
        if self.offline:
            raise OfflineError(
                f"{place(url)} is not in the cache, and asking for it is forbidden",
                hint="run once without --offline",
            )

    def _chunks(self, url: str, position: int) -> Generator[bytes]:
        patience = Patience(url, self._pause)
        validator = ""
        while True:
            try:
                with self._transport.open(url, _range_from(position)) as reply:
                    if _is_complete(reply, position):
                        return
                    if _is_success(reply):
                        validator = _checked_validator(reply, validator, url)
                        for chunk in _from_position(reply, position):
                            position += len(chunk)
                            patience.advanced(len(chunk))
                            yield chunk
                        return
                    refusal = reply
            except BrokenConnectionError as error:
                patience.broken(error)
            else:
                patience.refused(refusal)


def _is_success(reply: Reply) -> bool:
    return _OK <= reply.status < _OK + 100


def _is_complete(reply: Reply, position: int) -> bool:
    """Whether a range was refused only because the file ends at `position`."""
    size = reply.headers.get("content-range", "").rpartition("/")[2]
    return reply.status == _UNSATISFIABLE and size == str(position)


def _range_from(position: int) -> dict[str, str]:
    span = {"range": f"bytes={position}-"} if position else {}
    return {"accept-encoding": "identity", **span}


def _from_position(reply: Reply, position: int) -> Iterator[bytes]:
    """The body from `position` on, also of a server that sent it from the start."""
    surplus = 0 if reply.status == _PARTIAL else position
    for chunk in reply.chunks(decoded=False):
        if surplus >= len(chunk):
            surplus -= len(chunk)
        else:
            yield chunk[surplus:]
            surplus = 0


def _checked_validator(reply: Reply, validator: str, url: str) -> str:
    found = reply.headers.get("etag") or reply.headers.get("last-modified", "")
    if validator and found != validator:
        raise IndexUnreachableError(f"{place(url)} changed while it was read", hint="try again")
    return found


def _read(reply: Reply, url: str) -> bytes:
    chunks, size = [], 0
    for chunk in reply.chunks(decoded=True):
        size += len(chunk)
        if size > BODY_LIMIT:
            raise IndexUnreachableError(f"{place(url)} answered more than {BODY_LIMIT >> 20} MiB")
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
