"""What importlib.metadata will answer in Lambda, and whether the runtime's SDK stays in one piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from layercraft.verification.report import STATIC, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from layercraft.layer.importable import Importable
    from layercraft.verification.installed import Installed
    from layercraft.verification.layer import LayerUnderTest


def check_metadata(layer: LayerUnderTest, installed: Sequence[Installed]) -> Iterator[Finding]:
    """Find expected distributions that importlib.metadata does not know, or of another version.

    A `.dist-info` folder without METADATA is a distribution whose version is None, expected or not.
    """
    expected = dict(layer.distributions)
    empty = {each.name for each in installed if each.version is None}
    for name in sorted(empty.difference(each.name for each in installed if each.version)):
        yield _missing(layer, name, "its .dist-info folder has no METADATA: its version will be None")
    found = {each.name: each.version for each in installed if each.version}
    for name, version in expected.items():
        if name not in found and name not in empty:
            yield _missing(layer, name, "importlib.metadata will not find it")
        elif name in found and not is_same_version(found[name], version):
            yield Finding(
                engine=STATIC,
                kind="metadata-version",
                subject=name,
                cause=f"importlib.metadata will say {found[name]}, and {version} went into the layer",
                remedy="build the layer again",
            )


def _missing(layer: LayerUnderTest, name: str, cause: str) -> Finding:
    return Finding(
        engine=STATIC,
        kind="metadata-missing",
        subject=name,
        cause=cause,
        remedy="keep METADATA in *.dist-info: packages ask for their own version and entry points",
        blame=layer.blame_metadata(name),
    )


def is_same_version(found: str, expected: str) -> bool:
    """Tell whether two texts are one version (PEP 440: 1.0 is 1.0.0); what is none is compared as text."""
    try:
        return Version(found) == Version(expected)
    except InvalidVersion:
        return found == expected


def check_sdk(layer: LayerUnderTest, importable: Importable) -> Iterator[Finding]:
    """Find a layer that brings a part of what AWS releases together: the runtime's rest would not fit."""
    together = layer.target.runtime.together
    present = [name for name in together if importable.exists(name)]
    absent = [name for name in together if name not in present]
    if present and absent:
        rest, part = " and ".join(absent), " and ".join(present)
        yield Finding(
            engine=STATIC,
            kind="partial-runtime-sdk",
            subject=part,
            cause=f"it would run with {rest} of {layer.target.runtime.name}, of another release",
            remedy=f"add {rest} to the requirements, or leave {part} out",
            blame=next(filter(None, (layer.blame(f"python/{name}/__init__.py") for name in absent)), None),
        )
