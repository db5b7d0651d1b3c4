"""The Simple API in JSON (PEP 691): `/simple/NAME/`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from layercraft.errors import BadIndexAnswerError, IndexUnreachableError, UnknownPackageError
from layercraft.formats.addresses import without_credentials
from layercraft.resolution.index import IndexFile, IndexPage

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from layercraft.host.answers import CachedAnswers

LIFETIME = 10 * 60
"""Seconds that a page counts as fresh where the server does not say."""

ACCEPT = "application/vnd.pypi.simple.v1+json"


class _Project(Struct, frozen=True):
    files: tuple[IndexFile, ...]


_DECODER = msgspec.json.Decoder(_Project)


class SimpleIndex:
    """Pages from the Simple API of the index whose `/simple` folder stands at `url`."""

    def __init__(self, answers: CachedAnswers, url: str) -> None:
        self._answers = answers
        self._url = url.rstrip("/")

    def page(self, name: NormalizedName) -> IndexPage:
        """Give all files of a package; see `Index.page` for what it raises."""
        url = f"{self._url}/{name}/"
        answer = self._answers.get(url, accept=ACCEPT, lifetime=LIFETIME)
        match answer.status:
            case 200:
                return IndexPage(url=answer.url or url, files=decode(answer.body, url))
            case 404 | 410:
                raise UnknownPackageError(f"{name}: the index has no package of this name")
            case status:
                raise IndexUnreachableError(
                    f"{without_credentials(url)}: the index answered {status} for {name}",
                    hint="indexes that ask for a password are not supported yet",
                )


def decode(body: bytes, url: str) -> tuple[IndexFile, ...]:
    """Decode a project page of the Simple API.

    Raises:
        BadIndexAnswerError: the bytes are not such a page; HTML (PEP 503) is said to be HTML.
    """
    try:
        return _DECODER.decode(body).files
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if body.lstrip()[:1] == b"<":
            raise BadIndexAnswerError(
                f"{without_credentials(url)}: the index answered HTML",
                hint="layercraft reads the JSON of PEP 691 and PyPI's JSON API",
            ) from error
        raise BadIndexAnswerError(
            f"{without_credentials(url)}: not a page of the Simple API: {error}"
        ) from error
