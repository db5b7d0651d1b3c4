"""The table of engine and defect: each broken layer is found by the engines that can, with its cause."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from corpus.broken_layers import DEFECTS
from corpus.expectations import CannotTell, Finds, differences, this_machine_has
from corpus.fixtures import JUDGES
from corpus.verdicts import VERDICTS
from engine_fixtures import unavailable

from layercraft.target import Target
from layercraft.verification.checks import Checks
from layercraft.verification.layer import read_layer

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet
    from corpus.fixtures import Judges
    from corpus.workshop import Workshop

ENGINES = ("static", "native", "container")


def cells() -> list[ParameterSet]:
    """Give each defect with each judge; what is large or needs a container engine is for `-m corpus`."""
    table = []
    for name, defect in DEFECTS.items():
        for judge in JUDGES:
            marks = [] if defect.draft.made else [pytest.mark.network]
            if judge not in ("static", "native") or not defect.quick:
                marks.append(pytest.mark.corpus)
            table.append(pytest.param(name, judge, marks=marks, id=f"{name}: {judge}"))
    return table


@pytest.mark.parametrize(("name", "judge"), cells())
def test_a_defect_is_found_with_its_cause(name: str, judge: str, workshop: Workshop, judges: Judges) -> None:
    defect, verdicts = DEFECTS[name], VERDICTS[name]
    if "strip" in defect.draft.script and not shutil.which("strip"):
        unavailable("binutils are not installed; .ci/engines does it")
    target = Target.parse(defect.runtime or defect.draft.runtime, defect.architecture)
    layer = read_layer(workshop.layer(defect.draft), target)
    outcome = judges.ask(judge, layer, Checks(imports=defect.imports, timeout=defect.timeout))
    expected = verdicts.of(judge)
    if judge == "native" and verdicts.unless_here and this_machine_has(verdicts.unless_here):
        expected = ()
    assert differences(expected, outcome) == []
    unsure = any(isinstance(each, CannotTell) for each in expected)
    assert outcome.ran_imports == (judge != "static" and not unsure)


def test_the_table_has_every_defect_and_each_is_found_by_someone() -> None:
    assert list(VERDICTS) == list(DEFECTS)
    for name, verdicts in VERDICTS.items():
        found = [each for engine in ENGINES for each in verdicts.of(engine) if isinstance(each, Finds)]
        assert found, name
