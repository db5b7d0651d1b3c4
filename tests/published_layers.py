"""Layers to publish: zips that layercraft built from wheels, and what a test asks for most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trees import noise
from wheelhouse import WheelDraft

from layercraft.aws.layer_version import read_draft
from layercraft.verification.layer import read_layer

if TYPE_CHECKING:
    from pathlib import Path

    from command_line import CommandLine
    from local_index import LocalIndex

    from layercraft.aws.layer_version import Draft

OVER_DIRECT = 53 << 20  # bytes: more than a request to Lambda takes


def built(layercraft: CommandLine, *requirements: str, **options: str) -> Path:
    """Build a layer of requirements and give its zip."""
    wanted = [word for each in requirements for word in ("--require", each)]
    more = [word for name, value in options.items() for word in (f"--{name}", value)]
    (layer,) = layercraft.must("build", *wanted, *more, "--json").document["layers"]
    return layercraft.folder / str(layer["zip"])


def draft(path: Path) -> Draft:
    """Read what AWS is told of a zip."""
    return read_draft(read_layer(path))


def large(index: LocalIndex, size: int = OVER_DIRECT) -> str:
    """Host a wheel of `size` bytes that cannot be deflated, and give its name."""
    index.add(WheelDraft(name="large", files={"large.bin": noise(size)}, stored=["large.bin"]))
    return "large"
