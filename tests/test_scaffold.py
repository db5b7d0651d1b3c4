from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from layercraft.errors import OutputError, RequirementError, UsageError
from layercraft.recipe.catalog import find_recipe
from layercraft.recipe.layer_toml import parse_layer_toml
from layercraft.recipe.scaffold import new_recipe

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_recipe_is_found_and_asks_for_what_was_said(tmp_path: Path) -> None:
    layers = tmp_path / "deep" / "layers"
    folder = new_recipe("numbers", ["numpy >= 2", 'pandas[excel]; python_version >= "3.11"'], layers)
    recipe = find_recipe("numbers", [layers])
    assert recipe.folder == folder == layers / "numbers"
    assert [str(one) for one in recipe.requirements.requirements] == [
        "numpy>=2",
        'pandas[excel]; python_version >= "3.11"',
    ]
    assert (recipe.description, recipe.preset) == ("numpy, pandas", "safe")


def test_nothing_but_the_recipe_is_left_in_the_folder(tmp_path: Path) -> None:
    new_recipe("numbers", ["numpy"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["numbers"]
    assert sorted(path.name for path in (tmp_path / "numbers").iterdir()) == [
        "layer.toml",
        "requirements.txt",
    ]


def test_the_commented_keys_are_valid_when_they_are_taken(tmp_path: Path) -> None:
    text = (new_recipe("numbers", ["numpy"], tmp_path) / "layer.toml").read_text(encoding="utf-8")
    uncommented = "\n".join(line.removeprefix("# ") for line in text.splitlines())
    settings = parse_layer_toml(uncommented, source="layer.toml")
    assert settings.cleanup.remove == ("**/tests/",)
    assert settings.limits.unzipped == 230 * 2**20
    assert tomllib.loads(text).keys() == {"description", "cleanup", "verify", "limits"}


def test_an_existing_recipe_is_left_alone(tmp_path: Path) -> None:
    new_recipe("numbers", ["numpy"], tmp_path)
    with pytest.raises(UsageError, match="numbers exists already"):
        new_recipe("numbers", ["pandas"], tmp_path)
    assert (tmp_path / "numbers" / "requirements.txt").read_text(encoding="utf-8") == "numpy\n"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a.b", "-a", "a b", "é", "x" * 121])
def test_a_name_that_no_layer_may_bear_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a recipe"):
        new_recipe(name, ["numpy"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_requirement_that_cannot_work_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(RequirementError, match=r"--require: `\./pkg`"):
        new_recipe("numbers", ["numpy", "./pkg"], tmp_path / "layers")
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_needs_a_requirement(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a requirement"):
        new_recipe("numbers", [], tmp_path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "layers").write_text("a file", encoding="utf-8")
    with pytest.raises(OutputError, match=r"cannot write .*numbers: "):
        new_recipe("numbers", ["numpy"], tmp_path / "layers")
