"""Which regions are meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from layercraft.aws.session import Clients

ALL = "all"


def choose(clients: Clients, regions: Sequence[str]) -> tuple[str, ...]:
    """Give the regions that are meant, each once.

    Raises:
        UsageError: one is unknown, or none is named and none configured.
    """
    if not regions:
        return (clients.region,)
    named = [clients.regions() if each == ALL else (clients.known(each),) for each in regions]
    return tuple(dict.fromkeys(region for group in named for region in group))
