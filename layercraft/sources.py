"""Where wheels come from: an index, the hosts of its files, and the cache in front of both."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from layercraft.errors import UsageError
from layercraft.formats.addresses import without_credentials
from layercraft.host.answers import CachedAnswers
from layercraft.host.cache import Cache
from layercraft.host.client import Client
from layercraft.resolution.index import DEFAULT_INDEX
from layercraft.resolution.metadata import WheelMetadata
from layercraft.resolution.pypi_json import PypiJsonIndex
from layercraft.resolution.simple import SimpleIndex

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Generator
    from pathlib import Path

    from layercraft.resolution.index import Index, MetadataSource

IndexApi = Literal["json", "simple"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The collaborators that stages ask for pages, metadata and wheels."""

    client: Client
    cache: Cache
    answers: CachedAnswers
    metadata: MetadataSource
    index_url: str | None
    index_api: IndexApi

    def index(self, fallback_url: str | None = None) -> Index:
        """Give the index that was chosen, else the one at `fallback_url`, else PyPI.

        Raises:
            UsageError: the address is no http or https URL, or holds a password.
        """
        url = (self.index_url or fallback_url or DEFAULT_INDEX).rstrip("/")
        root = index_root(url)
        # Some name the folder of the Simple API otherwise, such as devpi's `+simple`.
        simple = SimpleIndex(self.answers, url if url.endswith("simple") else f"{root}/simple")
        return simple if self.index_api == "simple" else PypiJsonIndex(self.answers, root, simple)


@contextmanager
def open_sources(
    *,
    cache_dir: Path | None = None,
    index_url: str | None = None,
    index_api: IndexApi = "json",
    offline: bool = False,
    trusted: Callable[[], ssl.SSLContext] | None = None,
) -> Generator[Sources]:
    """Open the sources for some builds; connections close with the context.

    Without `cache_dir`, the cache lies in the platform's cache folder for this user. `offline`
    forbids the network: what the cache lacks is an `OfflineError`. `trusted` gives whose certificates
    count; without it, httpx decides.

    Raises:
        UsageError: `index_url` is no http or https URL, or holds a password.
    """
    if index_url:
        index_root(index_url)
    cache = Cache(cache_dir or default_cache_dir())
    with Client(offline=offline, trusted=trusted) as client:
        yield Sources(
            client=client,
            cache=cache,
            answers=CachedAnswers(client, cache),
            metadata=WheelMetadata(client, cache),
            index_url=index_url,
            index_api=index_api,
        )


def default_cache_dir() -> Path:
    """Give the platform's cache folder for this user."""
    from platformdirs import user_cache_path

    return user_cache_path("layercraft", appauthor=False)


def index_root(url: str) -> str:
    """Give the address that `/simple` and `/pypi` follow, for an index URL as pip takes it.

    Raises:
        UsageError: the address is no http or https URL, or holds a password.
    """
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # brackets without an address, a port that is no number
        valid = False
    if not valid:
        raise UsageError(
            f"index URL {without_credentials(url)!r}: not an http or https address",
            hint="give it as pip takes it, such as https://HOST/simple",
        )
    if parts.username or parts.password:
        raise UsageError(
            f"index URL of {parts.hostname}: it holds a user name or password",
            hint="indexes that ask for a password are not supported yet",
        )
    return url.rstrip("/").removesuffix("/simple")
