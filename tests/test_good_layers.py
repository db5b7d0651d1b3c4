"""Layers that work: no engine raises a false alarm."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from corpus.good_layers import GOOD

from layercraft.verification.checks import Checks
from layercraft.verification.layer import read_layer

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet
    from corpus.fixtures import Judges
    from corpus.good_layers import Good
    from corpus.workshop import Workshop

    from layercraft.verification.report import Outcome

pytestmark = pytest.mark.network


def layers(*, quick: bool) -> list[ParameterSet]:
    """Give the layers; those that are not small are for `-m corpus`, and without `quick` they all are."""
    return [
        pytest.param(name, marks=[] if quick and good.quick else pytest.mark.corpus)
        for name, good in GOOD.items()
    ]


def assert_no_alarm(outcome: Outcome, good: Good) -> None:
    assert outcome.findings == ()
    assert outcome.ran_imports
    assert [each.module for each in outcome.imports] == list(good.imports)


@pytest.mark.parametrize("name", layers(quick=True))
def test_the_static_engine_raises_no_false_alarm(name: str, workshop: Workshop, judges: Judges) -> None:
    layer = read_layer(workshop.layer(GOOD[name].draft))
    assert layer.record
    assert judges.ask("static", layer, Checks()).findings == ()


@pytest.mark.parametrize("name", layers(quick=True))
def test_it_raises_none_where_only_the_zip_is_known(
    name: str, workshop: Workshop, judges: Judges, tmp_path: Path
) -> None:
    draft = GOOD[name].draft
    alone = Path(shutil.copy(workshop.layer(draft), tmp_path / "layer.zip"))
    layer = read_layer(alone, draft.target)
    assert layer.record is None
    assert judges.ask("static", layer, Checks()).findings == ()


@pytest.mark.parametrize("name", layers(quick=True))
def test_the_native_engine_raises_no_false_alarm(name: str, workshop: Workshop, judges: Judges) -> None:
    layer = read_layer(workshop.layer(GOOD[name].draft))
    assert_no_alarm(judges.ask("native", layer, Checks(imports=GOOD[name].imports)), GOOD[name])


@pytest.mark.parametrize("name", layers(quick=False))
def test_the_container_engine_raises_no_false_alarm(name: str, workshop: Workshop, judges: Judges) -> None:
    layer = read_layer(workshop.layer(GOOD[name].draft))
    assert_no_alarm(judges.ask("docker", layer, Checks(imports=GOOD[name].imports)), GOOD[name])
