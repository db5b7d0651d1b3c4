"""Which versions of a range may be taken: yanked ones and pre-releases only where they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet
    from packaging.utils import NormalizedName

    from layercraft.resolution.candidates import Candidates


class Admission:
    """Remembers what was asked of each package, and admits versions by it.

    A yanked version is admitted where the range lies within a pin (PEP 592); a pre-release where the
    user named one, or where the requirements that the range answers have nothing final in common
    (PEP 440). That conflicts ruled out all that is final is no reason for a pre-release.

    `prereleases` are the packages for which the user named one (None: all of them).
    """

    def __init__(self, prereleases: frozenset[NormalizedName] | None) -> None:
        self._prereleases = prereleases
        self._asked: dict[NormalizedName, dict[int, bool]] = {}

    def note(self, found: Candidates, specifier: SpecifierSet) -> int:
        """Give the versions that a requirement or constraint contains, and remember that it was met."""
        bits = found.matching(specifier)
        asked = self._asked.setdefault(found.name, {})
        if not asked.get(bits):
            asked[bits] = is_pin(specifier)
        return bits

    def admitted(self, found: Candidates, bits: int, *, by_base: bool = False) -> int:
        """Give the versions of a range that may be taken.

        `by_base` is for an extra, whose version another package decides: any pin or pre-release goes.
        """
        bits &= found.every
        opened = self._prereleases is None or found.name in self._prereleases
        pinned = self._pinned(found, bits, any_pin=by_base) if bits & found.yanked else 0
        taken = found.preferred(bits, prereleases=opened, pinned=pinned)
        if opened or by_base or taken & found.finals or self._nothing_final(found, bits):
            return taken
        return 0

    def _pinned(self, found: Candidates, bits: int, *, any_pin: bool) -> int:
        """Give the versions of the pins that a range lies within."""
        pinned = 0
        for asked, pins in self._asked.get(found.name, {}).items():
            if pins and (any_pin or bits & ~asked == 0):
                pinned |= asked
        return pinned

    def _nothing_final(self, found: Candidates, bits: int) -> bool:
        """Tell whether the requirements that a range lies within have nothing final in common."""
        common = found.finals & ~found.yanked
        for asked in self._asked.get(found.name, {}):
            if bits & ~asked == 0:
                common &= asked
        return not common


def is_pin(specifier: SpecifierSet) -> bool:
    """Tell whether a specifier names one version: `==1.0` or `===1.0`, not `==1.*`."""
    return any(
        each.operator == "===" or (each.operator == "==" and not each.version.endswith(".*"))
        for each in specifier
    )
