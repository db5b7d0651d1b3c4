"""Where a wheel's members belong in a layer: the schemes of the binary distribution format."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from layercraft.errors import BadWheelError

if TYPE_CHECKING:
    from layercraft.wheels.inspection import Wheel

# An empty part, "." or ".." between slashes (a leading or trailing slash makes an empty one),
# a backslash, a NUL, or a drive letter.
_UNSAFE = re.compile(r"(?:^|/)\.{0,2}(?:/|$)|[\\\0]|^[A-Za-z]:")

_SCHEMES = {
    "purelib": "python/",
    "platlib": "python/",
    "data": "python/",
    "scripts": "python/bin/",
    "headers": None,
}


def is_safe(path: str) -> bool:
    """Tell whether a path stays inside the folder that it is joined to, on every system."""
    return _UNSAFE.search(path) is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Gives each member of one wheel its path inside the layer.

    `dist_info` is the name of the wheel's `.dist-info` folder.
    """

    filename: str
    dist_info: str
    dropped: frozenset[str]

    @classmethod
    def of(cls, wheel: Wheel) -> Self:
        """Find the wheel's `.dist-info` folder by its RECORD.

        Raises:
            BadWheelError: there is no RECORD, or more than one.
        """
        folders = [
            name.removesuffix("/RECORD")
            for name in wheel.texts
            if name.endswith(".dist-info/RECORD") and name.count("/") == 1
        ]
        if len(folders) != 1:
            found = ", ".join(sorted(folders)) or "none"
            raise BadWheelError(
                f"{wheel.filename}: a wheel has one .dist-info folder with a RECORD, found {found}"
            )
        dropped = frozenset(f"{folders[0]}/{name}" for name in ("RECORD", "RECORD.jws", "RECORD.p7s"))
        return cls(filename=wheel.filename, dist_info=folders[0], dropped=dropped)

    def path(self, member: str) -> str | None:
        """Give the member's path inside the layer, or None when it does not belong there.

        Headers are dropped, and so are RECORD (written anew later) and its signatures (void then).
        `.data/data` lies under `python/` too, for with `pip install --target` that is the prefix.

        Raises:
            BadWheelError: the name leads out of the layer, or its scheme is unknown.
        """
        if member in self.dropped:
            return None
        if not is_safe(member):
            raise BadWheelError(f"{self.filename}: unsafe path {member!r}")
        first, slash, rest = member.partition("/")
        if not (slash and first.endswith(".data")):
            return f"python/{member}"
        scheme, _, below = rest.partition("/")
        if scheme not in _SCHEMES or not is_safe(below):
            raise BadWheelError(f"{self.filename}: {member!r} lies in no known scheme")
        prefix = _SCHEMES[scheme]
        return None if prefix is None else prefix + below
