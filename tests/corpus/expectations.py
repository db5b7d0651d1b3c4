"""What an engine is expected to say of a layer, and where it says something else."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from layercraft.verification.report import Finding, Outcome, Unchecked


@dataclass(frozen=True, slots=True)
class Finds:
    """Findings of one kind about subjects (a shell pattern), whose causes have these words.

    `blame` are words of what took away that which is missing; without them nobody may be blamed.
    """

    kind: str
    subject: str
    words: str
    blame: str = ""

    def fits(self, told: Finding) -> bool:
        """Tell whether this finding is meant."""
        return (
            told.kind == self.kind
            and fnmatchcase(told.subject, self.subject)
            and self.words in told.cause
            and (self.blame in told.blame if self.blame and told.blame else self.blame == (told.blame or ""))
        )


@dataclass(frozen=True, slots=True)
class CannotTell:
    """Something that is told as not checked, with words of the reason."""

    subject: str
    words: str

    def fits(self, told: Unchecked) -> bool:
        """Tell whether this is what was not checked."""
        return told.subject == self.subject and self.words in told.why


Cell = tuple[Finds | CannotTell, ...]
"""All that an engine is expected to say of a layer; nothing where it passes."""


def differences(expected: Cell, outcome: Outcome) -> list[str]:
    """Tell in a line each what an engine missed, and what it said too much."""
    return [*_missed(expected, outcome), *_surprises(expected, outcome)]


def _missed(expected: Cell, outcome: Outcome) -> Iterator[str]:
    for each in expected:
        if isinstance(each, Finds):
            told = any(map(each.fits, outcome.findings))
        else:
            told = any(map(each.fits, outcome.unchecked))
        if not told:
            yield f"not told: {each}"


def _surprises(expected: Cell, outcome: Outcome) -> Iterator[str]:
    wanted = [each for each in expected if isinstance(each, Finds)]
    for finding in outcome.findings:
        if not any(each.fits(finding) for each in wanted):
            yield f"told: {finding}"


def this_machine_has(what: str) -> bool:
    """Tell whether the system's own loader finds a library, or a glibc as new as `GLIBC_2.27`."""
    prefix, _, version = what.partition("GLIBC_")
    if not prefix:
        return _numbers(platform.libc_ver()[1]) >= _numbers(version)
    known = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, encoding="utf-8", check=True)
    return what in known.stdout


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
