"""An index of packages: the protocol that the resolver asks, and the values it gets.

`IndexFile` has the shape of a file in the Simple API's JSON (PEP 691, PEP 700, PEP 714). Other
sources are converted to it, so that everything behind this module knows one shape.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from layercraft.formats.core_metadata import CoreMetadata
    from layercraft.resolution.candidates import Candidate

DEFAULT_INDEX = "https://pypi.org"

WHEEL_NAME = re.compile(r"[\w.!+-]+\.whl", re.ASCII)
"""What a wheel's file name may be made of (PEP 427, PEP 440): no folders, nothing that moves a terminal."""


class Hashes(Struct, frozen=True):
    """The digests of a file that layercraft uses."""

    sha256: str | None = None


class IndexFile(Struct, frozen=True, kw_only=True):
    """One file of a package, as PEP 691 describes it.

    `url` may be relative to the page it stands on; `size` is in bytes. `yanked` is true or the
    reason when the file was yanked (PEP 592). `core_metadata` says whether METADATA is served
    beside the file (PEP 658): None when the index does not say.
    """

    filename: str
    url: str
    hashes: Hashes = Hashes()
    requires_python: str | None = field(default=None, name="requires-python")
    size: int | None = None
    yanked: bool | str = False
    core_metadata: Hashes | bool | None = field(default=None, name="core-metadata")


class Hint(Struct, frozen=True, kw_only=True):
    """What an index says that one version requires, taken from any of its files."""

    version: str
    requires: tuple[str, ...]


class IndexPage(Struct, frozen=True, kw_only=True):
    """All files of a package, and the address that relative URLs are joined to.

    `hint` only ever decides what is fetched ahead.
    """

    url: str
    files: tuple[IndexFile, ...]
    hint: Hint | None = None


class Index(Protocol):
    """Where candidates come from. Methods are called from many threads at once."""

    def page(self, name: NormalizedName) -> IndexPage:
        """Give all files of a package.

        Raises:
            UnknownPackageError: the index has no such package.
            IndexUnreachableError: the index does not answer or refuses to.
            BadIndexAnswerError: the answer is no index page.
        """


class MetadataSource(Protocol):
    """Where a candidate's true dependencies come from: its own METADATA."""

    def metadata(self, candidate: Candidate) -> CoreMetadata:
        """Give the core metadata of a wheel without downloading more of it than needed.

        Raises:
            IndexUnreachableError: the file's host does not answer.
            BadWheelError: the wheel holds no readable METADATA.
        """
