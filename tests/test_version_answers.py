"""What is said where importlib.metadata does not tell the version that went into a layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from layercraft.target import Target
from layercraft.verification.layer import LayerUnderTest
from layercraft.verification.surroundings import Cause, Surroundings
from layercraft.verification.version_answers import version_cause

if TYPE_CHECKING:
    from collections.abc import Mapping

METADATA = "python/Demo_App-1.0.dist-info/METADATA"
REMOVED = {METADATA: "cleanup.sh"}


def cause(
    told: Mapping[str, Any], *, removed: Mapping[str, str] | None = None, mode: int = 0o644
) -> Cause | None:
    """Give the cause for demo-app 1.0, whose METADATA is in the layer unless it was removed."""
    layer = LayerUnderTest(zip=Path("x.zip"), target=Target.parse(), removed=removed or {})
    files = {} if removed else {METADATA: mode}
    return version_cause(
        "demo-app", "1.0", told, Surroundings(engine="native", layer=layer, files=files, root="/opt")
    )


@pytest.mark.parametrize("version", ["1.0", "1", "1.0.0"])
def test_the_same_version_is_right_however_it_is_written(version: str) -> None:
    assert cause({"version": version}) is None


def test_another_version_is_told() -> None:
    told = cause({"version": "2.0"})
    assert told
    assert (told.kind, told.blame) == ("metadata-version", None)
    assert told.text == "importlib.metadata tells version 2.0, and 1.0 was locked"


def test_another_copys_version_is_blamed_on_what_took_the_layers_own_metadata() -> None:
    told = cause({"version": "2.0"}, removed=REMOVED)
    assert told
    assert (told.kind, told.blame) == ("metadata-missing", "removed by cleanup.sh")
    assert told.text == "importlib.metadata tells version 2.0 of another copy, and 1.0 was locked"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({}, "knows no such distribution"),
        ({"version": None}, "finds a distribution without a version"),
        ({"error": "KeyError: 'Version'"}, "raises KeyError: 'Version'"),
    ],
)
def test_metadata_that_is_gone_is_told_with_what_took_it(answer: Mapping[str, Any], words: str) -> None:
    told = cause(answer, removed=REMOVED)
    assert told
    assert (told.kind, told.text) == ("metadata-missing", f"importlib.metadata {words}")
    assert told.blame == "removed by cleanup.sh"


@pytest.mark.parametrize("answer", [{}, {"version": None}, {"version": "2.0"}, {"error": "PermissionError"}])
def test_a_mode_that_shuts_metadata_off_explains_every_answer(answer: Mapping[str, Any]) -> None:
    told = cause(answer, mode=0o600)
    assert told
    assert told.kind == "bad-mode"
    assert told.text == f"{METADATA} has mode 0600, so Lambda cannot read it"
