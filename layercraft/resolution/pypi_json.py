"""The JSON API of PyPI: `/pypi/NAME/json`.

Its `releases` are officially deprecated but served; an index that leaves them out, or that answers
anything but such a page (some answer every address with HTML), is asked through the Simple API instead.
"""

from __future__ import annotations

from concurrent.futures import Future, wait
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from layercraft.errors import LayercraftError, OfflineError
from layercraft.resolution.index import Hashes, IndexFile, IndexPage

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from layercraft.host.answers import CachedAnswers
    from layercraft.resolution.index import Index

LIFETIME = 15 * 60
"""Seconds that a page counts as fresh where the server does not say."""
PATIENCE = 0.2
"""Seconds in which a healthy server gives a page, over the slowest of usual connections."""
OK = 200


class _File(Struct, frozen=True):
    filename: str
    url: str
    digests: Hashes = Hashes()
    requires_python: str | None = None
    size: int | None = None
    yanked: bool | None = False
    yanked_reason: str | None = None
    core_metadata: Hashes | bool | None = field(default=None, name="core-metadata")

    def to_index_file(self) -> IndexFile:
        return IndexFile(
            filename=self.filename,
            url=self.url,
            hashes=self.digests,
            requires_python=self.requires_python,
            size=self.size,
            yanked=(self.yanked_reason or True) if self.yanked else False,
            core_metadata=self.core_metadata,
        )


class _Project(Struct, frozen=True):
    releases: dict[str, list[_File]] | None = None


_DECODER = msgspec.json.Decoder(_Project)


class PypiJsonIndex:
    """Pages from the JSON API, and from `simple` where the JSON API has none.

    Once the JSON API has missed a package that the Simple API has, it is not asked again: the
    index does not speak it. A page that is not there after `patience` seconds is asked for from the
    Simple API too, where it is half as long, and counts if it comes: both list the same files.
    """

    def __init__(
        self, answers: CachedAnswers, root: str, simple: Index, *, patience: float = PATIENCE
    ) -> None:
        self._answers = answers
        self._root = root
        self._simple = simple
        self._patience = patience
        self._speaks_json = True

    def page(self, name: NormalizedName) -> IndexPage:
        """Give all files of a package; see `Index.page` for what it raises."""
        if not self._speaks_json:
            return self._simple.page(name)
        asked: Future[IndexPage | None] = Future()
        Thread(target=self._ask, args=(name, asked), name="json-page", daemon=True).start()
        wait([asked], self._patience)
        if not asked.done():
            with suppress(LayercraftError):
                return self._simple.page(name)
        try:
            page = asked.result()
        except OfflineError:
            with suppress(LayercraftError):  # an earlier run may have kept the faster API's page alone
                return self._simple.page(name)
            raise
        if page is not None:
            return page
        page = self._simple.page(name)
        self._speaks_json = False
        return page

    def _ask(self, name: NormalizedName, asked: Future[IndexPage | None]) -> None:
        url = f"{self._root}/pypi/{name}/json"
        try:
            answer = self._answers.get(url, accept="application/json", lifetime=LIFETIME)
            files = decode(answer.body) if answer.status == OK else None
            asked.set_result(None if files is None else IndexPage(url=answer.url or url, files=files))
        except BaseException as error:  # noqa: BLE001 (handed to the thread that waits for the page)
            asked.set_exception(error)


def decode(body: bytes) -> tuple[IndexFile, ...] | None:
    """Decode a page of the JSON API; None where it gives no `releases` or is something else, such as HTML."""
    try:
        releases = _DECODER.decode(body).releases
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if releases is None:
        return None
    return tuple(file.to_index_file() for listed in releases.values() for file in listed)
