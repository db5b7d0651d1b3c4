"""What is wrong where importlib.metadata does not tell the version that went into a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layercraft.verification.metadata_paths import paths_of
from layercraft.verification.packaging_metadata import is_same_version
from layercraft.verification.surroundings import Cause

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from layercraft.verification.surroundings import Surroundings

_REMEDY = "keep METADATA of each .dist-info folder"


def version_cause(name: str, expected: str, told: Mapping[str, Any], around: Surroundings) -> Cause | None:
    """Give why a distribution's version is not the expected one; None when it is.

    `told` is the probe's answer: a `version`, which is None where a distribution has none, or an
    `error`. A file that was removed, or that nobody may read, explains any answer: another copy's too.
    """
    version = told.get("version")
    if version and is_same_version(str(version), expected):
        return None
    closed = around.closed(dict(paths_of("METADATA", around.files)).get(name, ""))
    if closed:
        return closed
    blame = around.layer.blame_metadata(name)
    if version and not blame:
        text = f"importlib.metadata tells version {version}, and {expected} was locked"
        return Cause(kind="metadata-version", text=text)
    return Cause(kind="metadata-missing", text=_answer(told, expected), blame=blame, remedy=_REMEDY)


def _answer(told: Mapping[str, Any], expected: str) -> str:
    if told.get("version"):
        return (
            f"importlib.metadata tells version {told['version']} of another copy, and {expected} was locked"
        )
    if "version" in told:
        return "importlib.metadata finds a distribution without a version"
    if "error" in told:
        return f"importlib.metadata raises {told['error']}"
    return "importlib.metadata knows no such distribution"
