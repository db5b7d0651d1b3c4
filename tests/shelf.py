"""An index in memory, for cases that are about choosing and not about asking.

    shelf = Shelf("a-2.0 : b>=1", "a-1.0", "b-1.0-cp313-cp313-manylinux_2_17_x86_64")
    assert shelf.pins("a") == {"a": "2.0", "b": "1.0"}

A line is a wheel's file name (`-py3-none-any.whl` may be left out), then the Requires-Dist texts of
its METADATA, parted by commas with a space. `Release` says more than a line can.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from layercraft.errors import BadWheelError, UnknownPackageError
from layercraft.formats.core_metadata import CoreMetadata
from layercraft.recipe.requirements import Requested, RequirementsInput
from layercraft.resolution.index import Hashes, IndexFile, IndexPage
from layercraft.resolution.resolver import Resolution, resolve
from layercraft.target import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packaging.utils import NormalizedName

    from layercraft.resolution.candidates import Candidate

TARGET = Target.parse("3.13", "x86_64")
ROOT = "https://files.example/"


def digest(text: str) -> str:
    """Give a sha256 that stands for a file of this name."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Release:
    """One file of an index, and the METADATA inside.

    `python` is what the index says of Requires-Python, `own_python` what METADATA says; `broken` is
    the reason why METADATA cannot be read.
    """

    filename: str
    requires: Sequence[str] = ()
    extras: Sequence[str] = ()
    python: str | None = None
    own_python: str | None = None
    yanked: bool | str = False
    sha256: str | None = ""
    broken: str = ""

    @classmethod
    def of(cls, line: str, **more: Any) -> Release:  # noqa: ANN401 (the fields of the class)
        """Read a line; see the module's text."""
        filename, _, requires = line.partition(" : ")
        if not filename.endswith((".whl", ".tar.gz", ".zip")):
            filename += ".whl" if filename.count("-") > 1 else "-py3-none-any.whl"
        listed = tuple(filter(None, requires.split(", ")))
        return cls(**{"filename": filename, "requires": listed, **more})

    @property
    def name(self) -> NormalizedName:
        """The distribution's normalized name."""
        return canonicalize_name(self.filename.partition("-")[0])

    def to_index_file(self) -> IndexFile:
        """Give the file as an index tells of it."""
        sha256 = digest(self.filename) if self.sha256 == "" else self.sha256
        return IndexFile(
            filename=self.filename,
            url=ROOT + self.filename,
            hashes=Hashes(sha256=sha256),
            requires_python=self.python,
            yanked=self.yanked,
        )


release = Release.of


@dataclass
class Shelf:
    """The index; also where metadata come from. `asked` are the pages that were asked for."""

    releases: tuple[Release, ...]
    asked: list[str] = field(default_factory=list)

    def __init__(self, *lines: str | Release) -> None:
        self.releases = tuple(Release.of(line) if isinstance(line, str) else line for line in lines)
        self.asked = []

    def page(self, name: NormalizedName) -> IndexPage:
        """Give the page of a package."""
        self.asked.append(name)
        files = tuple(each.to_index_file() for each in self.releases if each.name == name)
        if not files:
            raise UnknownPackageError(f"{name}: the index has no package of this name")
        return IndexPage(url=f"{ROOT}simple/{name}/", files=files)

    def metadata(self, candidate: Candidate) -> CoreMetadata:
        """Give what METADATA says."""
        found = next(each for each in self.releases if each.filename == candidate.file.filename)
        if found.broken:
            raise BadWheelError(f"{found.filename}: {found.broken}")
        return CoreMetadata(
            name=candidate.name,
            version=str(candidate.version),
            requires=tuple(found.requires),
            requires_python=found.own_python,
            extras=tuple(found.extras),
        )

    def resolve(self, *wanted: str, target: Target = TARGET, **how: Any) -> Resolution:  # noqa: ANN401 (see below)
        """Resolve requirements written as in a file, line by line.

        `how` are fields of RequirementsInput (constraints as texts) and options of `resolve`.
        """
        options = {name: how.pop(name) for name in ("exclude", "targets", "decided") if name in how}
        constraints = how.pop("constraints", ())
        asked = RequirementsInput(
            requirements=tuple(map(partial(_requested, "requirements.txt"), range(1, 100), wanted)),
            constraints=tuple(map(partial(_requested, "constraints.txt"), range(1, 100), constraints)),
            **how,
        )
        return resolve(asked, target, self, self, **options)

    def pins(self, *wanted: str, **how: Any) -> dict[str, str]:  # noqa: ANN401 (as for `resolve`)
        """Give name and version of what was chosen."""
        return pins(self.resolve(*wanted, **how))


def pins(resolution: Resolution) -> dict[str, str]:
    """Give name and version of what was chosen."""
    return {pin.name: pin.version for pin in resolution.lock.pins}


def _requested(file: str, number: int, text: str) -> Requested:
    return Requested.parse(text, source=f"{file}, line {number}")
