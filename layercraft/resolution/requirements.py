"""Which requirements of a distribution are active on a target: markers and extras (PEP 508, PEP 685)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement
from packaging.utils import NormalizedName, canonicalize_name

from layercraft.formats.requirement_text import parse_requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from packaging.markers import Marker
    from packaging.requirements import Requirement

_MOST_SHOWN = 200
"""Characters of a wrong requirement that a message quotes."""

_EXTRA_ONLY = re.compile(r""";\s*extra\s*==\s*['"]([^'"]+)['"]\s*$""")


class ActiveRequirements:
    """Reads Requires-Dist texts for one target, each text parsed once."""

    def __init__(self, markers: Mapping[str, str]) -> None:
        self._markers = markers
        self._parsed: dict[str, Requirement] = {}
        self._answers: dict[tuple[str, str], bool] = {}

    def parse(self, text: str) -> Requirement:
        """Parse a requirement.

        Raises:
            InvalidRequirement: the text is not valid by PEP 508.
        """
        parsed = self._parsed.get(text)
        if parsed is None:
            try:
                parsed = self._parsed[text] = parse_requirement(text)
            except InvalidRequirement as error:
                reason = str(error).partition("\n")[0]
                shown = repr(text[:_MOST_SHOWN])
                raise InvalidRequirement(f"{shown} is not a valid requirement: {reason}") from error
        return parsed

    def active(self, texts: Iterable[str], extra: str = "") -> Iterator[Requirement]:
        """Give the requirements that hold on the target.

        Without `extra`, those of the distribution itself; with one, those that only this extra adds.

        Raises:
            InvalidRequirement: a text is not valid by PEP 508.
        """
        for text in texts:
            only = _EXTRA_ONLY.search(text)
            if only and canonicalize_name(only[1]) != extra:
                continue
            if extra and not only and "extra" not in text:
                continue
            requirement = self.parse(text)
            if self.holds(requirement.marker, extra) and not (extra and self.holds(requirement.marker, "")):
                yield requirement

    def holds(self, marker: Marker | None, extra: str) -> bool:
        """Tell whether a marker is true on the target with `extra` asked for ("" for none)."""
        if marker is None:
            return True
        key = (str(marker), extra)
        answer = self._answers.get(key)
        if answer is None:
            try:
                answer = marker.evaluate({**self._markers, "extra": extra})
            except (UndefinedComparison, UndefinedEnvironmentName) as error:
                raise InvalidRequirement(f"the marker cannot be evaluated: {marker}") from error
            self._answers[key] = answer
        return answer


def normalized(requirement: Requirement) -> NormalizedName:
    """Give a requirement's name as indexes spell it (PEP 503)."""
    return canonicalize_name(requirement.name)
