"""How the bytes of a file go into the zip: as they lie in a wheel, or deflated here."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from layercraft.formats.deflated import BEST, LEVEL, deflate
from layercraft.formats.zip_directory import DEFLATED, STORED
from layercraft.layer.tree import WheelMember

if TYPE_CHECKING:
    from collections.abc import Iterable

    from layercraft.layer.contents import Buffer, Contents
    from layercraft.layer.tree import Content

_SMALL = 1024  # bytes that may stay stored, as wheels have them
_LARGE = 16 << 20  # bytes of a file of which only one is deflated anew at a time


class Packed(NamedTuple):
    """Bytes as the zip holds them: `method` of the format, `size` in bytes, the bytes in pieces."""

    method: int
    size: int
    pieces: Iterable[Buffer]


class FastPacking:
    """Leaves what is deflated as it is, and deflates the rest."""

    level = LEVEL

    def __init__(self, contents: Contents) -> None:
        self._contents = contents

    def ready(self, content: Content) -> Packed | None:
        """Give what need not be worked on, to be read when its turn comes."""
        if not isinstance(content, WheelMember):
            return None
        member = content.member
        if member.method != DEFLATED and member.size > _SMALL:
            return None
        return Packed(member.method, member.packed_size, self._contents.packed(content))

    def packed(self, content: Content) -> Packed:
        """Deflate the bytes, unless that would make more of them. From any thread."""
        plain = self._contents.plain(content)
        deflated = deflate(plain, self.level)
        if len(deflated) < content.size:
            return Packed(DEFLATED, len(deflated), (deflated,))
        return Packed(STORED, content.size, (plain,))


class BestPacking(FastPacking):
    """Deflates everything anew, as small as libdeflate can, and takes what is smaller."""

    level = BEST

    def __init__(self, contents: Contents) -> None:
        super().__init__(contents)
        self._one_at_a_time = Lock()

    def ready(self, content: Content) -> Packed | None:  # noqa: ARG002 (the base class's signature)
        """Give nothing: all is worked on."""
        return None

    def packed(self, content: Content) -> Packed:
        """Deflate the bytes; those that lie deflated stay so where that is not larger."""
        if content.size > _LARGE:
            with self._one_at_a_time:
                return self._smallest(content)
        return self._smallest(content)

    def _smallest(self, content: Content) -> Packed:
        anew = super().packed(content)
        before = super().ready(content)
        return before if before and before.size <= anew.size else anew
