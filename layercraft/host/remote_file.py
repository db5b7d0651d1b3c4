"""A file on an HTTP server, read in parts by range requests (RFC 9110, section 14)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from layercraft.errors import IndexUnreachableError
from layercraft.host.patience import phrase, place

if TYPE_CHECKING:
    from collections.abc import Callable

    from layercraft.host.client import Answer, Client

OK, PARTIAL, UNSATISFIABLE = 200, 206, 416
IDENTITY = {"Accept-Encoding": "identity"}

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class NoRangesError(Exception):
    """The host does not understand the Range header; `answer` is what it gave instead."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class RemoteFile:
    """The end of a file, extended to the front as far as it is asked for.

    `ahead(size)` tells how many bytes before a part of `size` bytes come with it in the same request.
    What lies further than `reach` bytes before all that is known is asked for by itself, and not kept.
    `fetched` counts the bytes that came.
    """

    def __init__(self, client: Client, url: str, *, ahead: Callable[[int], int], reach: int) -> None:
        self.fetched = 0
        self._client = client
        self._url = url
        self._ahead = ahead
        self._reach = reach
        self._end = b""
        self._start = 0

    def read_end(self, size: int) -> int:
        """Ask for the last `size` bytes, before anything else; give the length of the whole file.

        Raises:
            NoRangesError: the host gave something else than that range.
            IndexUnreachableError: the host does not answer, or refuses the file.
        """
        self._end, self._start, length = self._fetch(f"bytes=-{size}")
        return length

    def read_at(self, offset: int, size: int) -> bytes:
        """Give `size` bytes from `offset`; what is not there yet is asked for. Raises as `read_end`."""
        if offset < self._start - self._reach:
            return self._between(offset, offset + size)
        if offset < self._start:
            front = max(0, offset - self._ahead(size))
            self._end = self._between(front, self._start) + self._end
            self._start = front
        return self._end[offset - self._start : offset - self._start + size]

    def _between(self, start: int, end: int) -> bytes:
        """Give some bytes; what a server gives from elsewhere is no part of a zip, and found out as that."""
        return self._fetch(f"bytes={start}-{end - 1}")[0]

    def _fetch(self, byte_range: str) -> tuple[bytes, int, int]:
        """Give the bytes of a range, where they begin, and the length of the whole file."""
        answer = self._client.get(self._url, {"Range": byte_range, **IDENTITY})
        if answer.status in (OK, UNSATISFIABLE):
            raise NoRangesError(answer)
        if answer.status != PARTIAL:
            raise refused(self._url, answer)
        self.fetched += len(answer.body)
        span = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
        if not span:
            raise NoRangesError(answer)
        start, end, length = map(int, span.groups())
        wanted_end = byte_range.startswith("bytes=-")
        if end - start + 1 != len(answer.body) or (wanted_end and end + 1 != length):
            raise NoRangesError(answer)
        return answer.body, start, length


def refused(url: str, answer: Answer) -> IndexUnreachableError:
    """Give the error for a file that its host does not give."""
    return IndexUnreachableError(f"{place(url)} answered {phrase(answer.status)}")
