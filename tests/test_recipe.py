from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layercraft.errors import ConfigurationError, RequirementError, UsageError
from layercraft.recipe.catalog import find_recipe, list_recipes, recipe_folders, shipped_layers
from layercraft.recipe.names import distribution_glob, layer_name
from layercraft.recipe.recipe import Recipe, read_recipe
from layercraft.recipe.requirements import RequirementsInput

if TYPE_CHECKING:
    from pathlib import Path

    from layercraft.recipe.requirements import Requested


def recipe_folder(parent: Path, name: str = "numbers", **files: str) -> Path:
    """Write a recipe; `layer_toml="…"` becomes `layer.toml`."""
    folder = parent / name
    folder.mkdir(parents=True)
    for file, text in ({"requirements_txt": "numpy\n"} | files).items():
        (folder / file.replace("_", ".")).write_text(text, encoding="utf-8")
    return folder


def names(requested: tuple[Requested, ...]) -> list[str]:
    return [one.name for one in requested]


# One recipe


def test_requirements_alone_are_a_recipe(tmp_path: Path) -> None:
    folder = recipe_folder(tmp_path)
    recipe = read_recipe(folder)
    assert (recipe.name, recipe.preset, recipe.script) == ("numbers", "safe", None)
    assert names(recipe.requirements.requirements) == ["numpy"]
    assert recipe.files == (folder / "requirements.txt",)


def test_a_layer_toml_speaks_for_the_recipe(tmp_path: Path) -> None:
    toml = (
        "description = 'd'\nlicense = 'MIT'\nexclude = ['pip']\ncleanup.remove = ['x']\nlimits.unzipped = 9"
    )
    recipe = read_recipe(recipe_folder(tmp_path, layer_toml=toml))
    assert (recipe.description, recipe.license, recipe.exclude) == ("d", "MIT", ("pip",))
    assert (recipe.cleanup.remove, recipe.limits.unzipped) == (("x",), 9)


@pytest.mark.parametrize(
    ("toml", "preset"),
    [(None, "none"), ("license = 'MIT'", "none"), ("[cleanup]\npreset = 'safe'", "safe")],
)
def test_beside_a_script_no_preset_applies_unless_it_is_asked_for(
    tmp_path: Path, toml: str | None, preset: str
) -> None:
    files = {"cleanup_sh": "rm -rf /tmp/layer/python/x\n"} | ({"layer_toml": toml} if toml else {})
    folder = recipe_folder(tmp_path, **files)
    recipe = read_recipe(folder)
    assert (recipe.preset, recipe.script) == (preset, folder / "cleanup.sh")


def test_a_layer_of_requirements_alone_needs_no_folder() -> None:
    recipe = Recipe(name="pandas", requirements=RequirementsInput.of(["pandas>=2"]))
    assert (recipe.preset, recipe.folder, recipe.files) == ("safe", None, ())


def test_every_file_of_a_recipe_counts_sorted_and_with_those_from_elsewhere(tmp_path: Path) -> None:
    folder = recipe_folder(tmp_path, requirements_txt="-r ../base.txt\n-r own.txt\n", own_txt="six", z="z")
    (tmp_path / "base.txt").write_text("attrs\n", encoding="utf-8")
    (folder / "a" / "__pycache__").mkdir(parents=True)
    (folder / "a" / "smoke.py").write_text("", encoding="utf-8")
    (folder / "a" / "__pycache__" / "smoke.pyc").write_bytes(b"")
    assert [path.relative_to(tmp_path).as_posix() for path in read_recipe(folder).files] == [
        "numbers/a/smoke.py",
        "numbers/own.txt",
        "numbers/requirements.txt",
        "numbers/z",
        "base.txt",
    ]


def test_variables_come_from_the_environment_given(tmp_path: Path) -> None:
    folder = recipe_folder(tmp_path, requirements_txt="numpy==${NUMPY}\n")
    recipe = read_recipe(folder, environment={"NUMPY": "2.0"})
    assert str(recipe.requirements.requirements[0]) == "numpy==2.0"
    with pytest.raises(RequirementError, match=r"requirements\.txt, line 1: .* NUMPY, which is not set"):
        read_recipe(folder)


def test_a_recipe_without_requirements_is_refused(tmp_path: Path) -> None:
    folder = recipe_folder(tmp_path, layer_toml="")
    (folder / "requirements.txt").unlink()
    with pytest.raises(ConfigurationError, match=r"numbers is no recipe: it has no requirements\.txt"):
        read_recipe(folder)


def test_a_check_script_must_be_there(tmp_path: Path) -> None:
    folder = recipe_folder(tmp_path, layer_toml="[verify]\nscript = './smoke.py'\n")
    with pytest.raises(ConfigurationError, match=r"layer\.toml: verify\.script: there is no file"):
        read_recipe(folder)
    (folder / "smoke.py").write_text("", encoding="utf-8")
    assert read_recipe(folder).verify.script == "./smoke.py"


# Where recipes are found


def test_the_first_folder_of_the_search_path_wins(tmp_path: Path) -> None:
    mine, shipped = tmp_path / "mine", tmp_path / "shipped"
    recipe_folder(mine, "web", requirements_txt="flask\n")
    recipe_folder(shipped, "web", requirements_txt="jinja2\n")
    recipe_folder(shipped, "data", requirements_txt="pandas\n")
    found = list_recipes([mine, tmp_path / "absent", shipped])
    assert [(one.name, names(one.requirements.requirements)) for one in found] == [
        ("data", ["pandas"]),
        ("web", ["flask"]),
    ]
    assert find_recipe("web", [shipped, mine]).folder == shipped / "web"


def test_folders_without_a_recipes_files_are_no_recipes(tmp_path: Path) -> None:
    recipe_folder(tmp_path, "web")
    (tmp_path / "notes").mkdir()
    (tmp_path / "README.md").write_text("", encoding="utf-8")
    assert list(recipe_folders([tmp_path])) == ["web"]


@pytest.mark.parametrize("name", ["sklern", "SKLEARN", "sklearn "])
def test_an_unknown_recipe_is_told_with_the_nearest(name: str) -> None:
    with pytest.raises(UsageError, match=r"; did you mean sklearn\?$") as caught:
        find_recipe(name, [shipped_layers()])
    assert "layercraft list" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["..", "../numbers", "", "/", "numbers/"])
def test_a_recipes_name_is_never_a_path(tmp_path: Path, name: str) -> None:
    recipe_folder(tmp_path, "numbers")
    with pytest.raises(UsageError, match="unknown recipe"):
        find_recipe(name, [tmp_path])


def test_another_recipes_mistake_harms_nobody(tmp_path: Path) -> None:
    recipe_folder(tmp_path, "broken", layer_toml="[")
    recipe_folder(tmp_path, "web")
    assert find_recipe("web", [tmp_path]).name == "web"


# What comes with layercraft


def test_the_shipped_recipes_are_five() -> None:
    found = {one.name: names(one.requirements.requirements) for one in list_recipes([shipped_layers()])}
    assert found == {
        "fastparquet": ["fastparquet"],
        "jinja": ["jinja2"],
        "sklearn": ["scikit-learn", "pandas"],
        "sqlite_utils": ["sqlite-utils"],
        "xgboost": ["xgboost"],
    }


@pytest.mark.parametrize("recipe", list_recipes([shipped_layers()]), ids=lambda recipe: str(recipe.name))
def test_a_shipped_recipe_says_what_it_is_and_how_to_check_it(recipe: Recipe) -> None:
    assert recipe.description
    assert recipe.license is None  # the wheels tell theirs
    assert recipe.verify.imports
    assert recipe.preset == "safe"
    assert layer_name(recipe.name) == recipe.name


# Names


@given(st.text(min_size=1))
def test_a_layers_name_is_one_that_aws_takes_or_none(text: str) -> None:
    try:
        name = layer_name(text)
    except UsageError:
        assert not re.search(r"[a-zA-Z0-9]", text[:120])
    else:
        assert re.fullmatch(r"[a-zA-Z0-9-_]{1,120}", name)
        assert layer_name(name) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [("zope.interface", "zope-interface"), ("scikit_learn", "scikit_learn"), ("a..b", "a-b")],
)
def test_only_what_aws_forbids_is_replaced(text: str, name: str) -> None:
    assert layer_name(text) == name


def test_what_holds_no_letter_or_digit_names_no_layer() -> None:
    with pytest.raises(UsageError, match="cannot name a layer"):
        layer_name("…")


def test_globs_on_distributions_are_written_like_normalized_names() -> None:
    assert distribution_glob("NVIDIA_*.cu13") == "nvidia-*-cu13"
