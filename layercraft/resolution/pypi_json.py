"""The JSON API of PyPI: `/pypi/NAME/json`.

Its `releases` are officially deprecated but served; an index that leaves them out, or that answers
anything but such a page (some answer every address with HTML), is asked through the Simple API instead.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from layercraft.errors import LayercraftError, OfflineError
from layercraft.resolution.hedging import hedged
from layercraft.resolution.index import Hashes, Hint, IndexFile, IndexPage

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from layercraft.host.answers import CachedAnswers
    from layercraft.resolution.index import Index

LIFETIME = 15 * 60
"""Seconds that a page counts as fresh where the server does not say."""
PATIENCE = 0.1
"""Seconds in which a healthy server near by gives a page."""
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


class _Info(Struct, frozen=True):
    version: str | None = None
    requires_dist: tuple[str, ...] | None = None

    def to_hint(self) -> Hint | None:
        return Hint(version=self.version, requires=self.requires_dist or ()) if self.version else None


class _Project(Struct, frozen=True):
    releases: dict[str, list[_File]] | None = None
    info: msgspec.Raw = msgspec.Raw()


_DECODER = msgspec.json.Decoder(_Project)
_INFO = msgspec.json.Decoder(_Info)


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
        try:
            page = hedged(lambda: self._ask(name), lambda: self._simple.page(name), patience=self._patience)
        except OfflineError:
            with suppress(LayercraftError):  # an earlier run may have kept the faster API's page alone
                return self._simple.page(name)
            raise
        if page is not None:
            return page
        page = self._simple.page(name)
        self._speaks_json = False
        return page

    def _ask(self, name: NormalizedName) -> IndexPage | None:
        url = f"{self._root}/pypi/{name}/json"
        answer = self._answers.get(url, accept="application/json", lifetime=LIFETIME)
        return decode(answer.body, answer.url or url) if answer.status == OK else None


def decode(body: bytes, url: str) -> IndexPage | None:
    """Decode a page of the JSON API; None where it gives no `releases` or is something else, such as HTML."""
    try:
        project = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if project.releases is None:
        return None
    return IndexPage(
        url=url,
        files=tuple(file.to_index_file() for listed in project.releases.values() for file in listed),
        hint=_hint(project.info),
    )


def _hint(info: msgspec.Raw) -> Hint | None:
    """Read what is no more than a hint: one that cannot be read takes nothing from the page."""
    try:
        return _INFO.decode(info).to_hint()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
