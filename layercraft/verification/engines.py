"""What an engine is, and which is the strongest that can run here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from layercraft.events import Reporter
    from layercraft.verification.checks import Checks
    from layercraft.verification.layer import LayerUnderTest
    from layercraft.verification.report import Outcome

STRENGTH = ("static", "native", "emulated", "container")
"""The names of all engines, the weakest first."""


class Engine(Protocol):
    """Something that runs a layer's code, as near to Lambda as it can."""

    @property
    def name(self) -> str:
        """One of `STRENGTH`, or "lambda": that engine is brought by who has an AWS account."""

    @property
    def description(self) -> str:
        """What it is here, in a few words: "Python 3.12.1 of pyenv"."""

    def verify(self, layer: LayerUnderTest, checks: Checks, reporter: Reporter) -> Outcome:
        """Run the checks, and end all that was begun for them whatever happens.

        Raises:
            LayercraftError: this machine is at fault, not the layer.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """An engine that cannot run here: why, in one line, and the way out."""

    name: str
    why: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The engine that `auto` takes, None when only the static one is left, and why in one line."""

    engine: Engine | None
    why: str


def strongest(found: Sequence[Engine | Absent]) -> Choice:
    """Choose the strongest engine among those that were looked for."""
    ranked = sorted(found, key=lambda each: STRENGTH.index(each.name), reverse=True)
    missing: list[str] = []
    for each in ranked:
        if not isinstance(each, Absent):
            stronger = f"; {'; '.join(missing)}" if missing else ""
            return Choice(engine=each, why=f"{each.name}: {each.description}{stronger}")
        missing.append(f"no {each.name} engine: {each.why}")
    return Choice(engine=None, why="; ".join(["static: nothing else can run here", *missing]))
