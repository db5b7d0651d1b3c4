"""The sources that a build removed from a layer, as its wheels in the cache still have them."""

from __future__ import annotations

from contextlib import suppress
from itertools import zip_longest
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from layercraft.errors import BadWheelError, UsageError
from layercraft.verification.zip_contents import open_zip

if TYPE_CHECKING:
    from layercraft.host.cache import Cache
    from layercraft.verification.layer import LayerUnderTest

_ROOT = "python/"


class RemovedSources:
    """Finds removed files in the wheels that the layer was made of; opens none before it is asked."""

    def __init__(self, layer: LayerUnderTest, cache: Cache | None) -> None:
        names = (name for name, _ in layer.distributions)
        self._wheels = tuple(zip_longest(names, layer.pins_sha256, fillvalue="")) if cache else ()
        self._cache = cache

    def read(self, path: str) -> bytes | None:
        """Give the bytes of the file that was at a path; None when no wheel in the cache has it."""
        name = path.removeprefix(_ROOT)
        top = canonicalize_name(name.partition("/")[0])
        for _, sha256 in sorted(self._wheels, key=lambda wheel: wheel[0] != top):
            wheel = self._cache.wheel(sha256) if self._cache and sha256 else None
            # The wheel may be pruned or damaged meanwhile.
            with suppress(BadWheelError, UsageError):
                if wheel:
                    with open_zip(wheel) as contents:
                        if name in contents.listed:
                            return contents.read(name)
        return None
