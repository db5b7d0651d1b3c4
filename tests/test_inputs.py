from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from layercraft.errors import ConfigurationError
from layercraft.inputs import inputs_digest, tool_version
from layercraft.recipe.extra_files import ExtraFile
from layercraft.recipe.layer_toml import Cleanup, Limits
from layercraft.recipe.options import BuildOptions
from layercraft.recipe.recipe import Recipe, read_recipe
from layercraft.recipe.requirements import Requested, RequirementsInput
from layercraft.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable

TARGET = Target.parse("3.13", "x86_64")
ARM = Target.parse("3.13", "arm64")
WANTED = RequirementsInput.of(["a>=1", "b"])
RECIPE = Recipe(name="web", requirements=WANTED)
PLAIN = BuildOptions()


def asking(**changes: object) -> Recipe:
    return replace(RECIPE, requirements=replace(WANTED, **changes))  # type: ignore[arg-type]


def requested(text: str) -> tuple[Requested, ...]:
    return RequirementsInput.of([text]).requirements


def test_the_same_inputs_give_the_same_digest() -> None:
    again = Recipe(name="web", requirements=RequirementsInput.of(["a>=1", "b"]))
    digest = inputs_digest(RECIPE, TARGET, PLAIN)
    assert digest == inputs_digest(again, Target.parse("3.13", "amd64"), BuildOptions())
    assert len(digest) == 64


HASHED = f"a>=1 --hash=sha256:{'0' * 64}"
CHANGES: dict[str, tuple[Recipe, BuildOptions]] = {
    "the name": (replace(RECIPE, name="data"), PLAIN),
    "a requirement": (asking(requirements=requested("a>=2")), PLAIN),
    "the order": (asking(requirements=WANTED.requirements[::-1]), PLAIN),
    "a hash": (asking(requirements=(*requested(HASHED), *requested("b"))), PLAIN),
    "a constraint": (asking(constraints=requested("c<2")), PLAIN),
    "pre-releases": (asking(prereleases=True), PLAIN),
    "the recipe's index": (asking(index_url="https://index.example/simple"), PLAIN),
    "the recipe's exclusions": (replace(RECIPE, exclude=("c",)), PLAIN),
    "what is removed": (replace(RECIPE, cleanup=Cleanup(remove=("*.pyi",))), PLAIN),
    "what is kept": (replace(RECIPE, cleanup=Cleanup(keep=("*.pyi",))), PLAIN),
    "the recipe's preset": (replace(RECIPE, cleanup=Cleanup(preset="none")), PLAIN),
    "the limit": (replace(RECIPE, limits=Limits(unzipped=5)), PLAIN),
    "the script": (replace(RECIPE, script=Path(__file__)), PLAIN),
    "exclusions": (RECIPE, BuildOptions(exclude=("c",))),
    "the preset": (RECIPE, BuildOptions(preset="none")),
    "the recipe's runtime packages": (replace(RECIPE, runtime_packages="include"), PLAIN),
    "the recipe's GPU packages": (replace(RECIPE, keep_gpu=True), PLAIN),
    "runtime packages": (RECIPE, BuildOptions(runtime_packages="exclude")),
    "GPU packages": (RECIPE, BuildOptions(keep_gpu=True)),
    "the recipe's bytecode": (replace(RECIPE, cleanup=Cleanup(bytecode="only")), PLAIN),
    "bytecode": (RECIPE, BuildOptions(bytecode="only")),
    "the interpreter": (RECIPE, BuildOptions(python=Path("python"))),
    "an extra file": (replace(RECIPE, extra_files=(ExtraFile(path="a", file="b"),)), PLAIN),
    "the recipe's strip": (replace(RECIPE, cleanup=Cleanup(strip=True)), PLAIN),
    "strip": (RECIPE, BuildOptions(strip=True)),
    "compression": (RECIPE, BuildOptions(compress="best")),
    "strict": (RECIPE, BuildOptions(strict=True)),
    "no check": (RECIPE, BuildOptions(check=False)),
    "a lock": (RECIPE, BuildOptions(lock=Path(__file__))),
}


@pytest.mark.parametrize(("recipe", "options"), CHANGES.values(), ids=CHANGES)
def test_what_decides_the_layer_changes_the_digest(recipe: Recipe, options: BuildOptions) -> None:
    assert inputs_digest(recipe, TARGET, options) != inputs_digest(RECIPE, TARGET, PLAIN)


def test_target_and_index_change_the_digest() -> None:
    digests = {
        inputs_digest(RECIPE, TARGET, PLAIN),
        inputs_digest(RECIPE, ARM, PLAIN),
        inputs_digest(RECIPE, Target.parse("3.12", "x86_64"), PLAIN),
        inputs_digest(RECIPE, TARGET, PLAIN, "https://index.example"),
    }
    assert len(digests) == 4


@pytest.mark.parametrize(
    "options",
    [
        BuildOptions(output=Path("elsewhere")),
        BuildOptions(unpacked=Path("layer")),
        BuildOptions(skip_existing=True),
        BuildOptions(search_path="/bin"),
    ],
)
def test_where_the_layer_goes_does_not(options: BuildOptions) -> None:
    assert inputs_digest(RECIPE, TARGET, options) == inputs_digest(RECIPE, TARGET, PLAIN)


def test_exclusions_are_a_set_wherever_they_stand() -> None:
    in_recipe = replace(RECIPE, exclude=("c", "d"))
    in_options = BuildOptions(exclude=("d", "c", "d"))
    assert inputs_digest(in_recipe, TARGET, PLAIN) == inputs_digest(RECIPE, TARGET, in_options)


def a_recipe(folder: Path) -> Recipe:
    (folder / "data").mkdir(parents=True)
    (folder / "requirements.txt").write_text("-r data/more.txt\na\n", encoding="utf-8")
    (folder / "data" / "more.txt").write_text("b\n", encoding="utf-8")
    (folder / "cleanup.sh").write_text("exit 0\n", encoding="utf-8")
    return read_recipe(folder)


def test_the_same_recipe_in_another_folder_has_the_same_digest(tmp_path: Path) -> None:
    here, there = a_recipe(tmp_path / "one" / "web"), a_recipe(tmp_path / "two" / "web")
    assert inputs_digest(here, TARGET, PLAIN) == inputs_digest(there, TARGET, PLAIN)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "cleanup.sh").write_text("exit 1\n", encoding="utf-8"),
        lambda folder: (folder / "data" / "more.txt").write_text("b\n# c\n", encoding="utf-8"),
        lambda folder: (folder / "data" / "extra.txt").write_text("", encoding="utf-8"),
        lambda folder: (folder / "cleanup.sh").rename(folder / "data" / "cleanup.sh"),
    ],
)
def test_each_file_of_a_recipe_changes_the_digest(change: Callable[[Path], object], tmp_path: Path) -> None:
    before = inputs_digest(a_recipe(tmp_path / "web"), TARGET, PLAIN)
    change(tmp_path / "web")
    assert inputs_digest(read_recipe(tmp_path / "web"), TARGET, PLAIN) != before


def test_a_file_that_is_gone_is_one_line(tmp_path: Path) -> None:
    recipe = a_recipe(tmp_path / "web")
    (tmp_path / "web" / "cleanup.sh").unlink()
    with pytest.raises(ConfigurationError, match=r"cleanup\.sh: cannot be read: no such file"):
        inputs_digest(recipe, TARGET, PLAIN)
    with pytest.raises(ConfigurationError, match=r"pylock\.toml: cannot be read"):
        inputs_digest(RECIPE, TARGET, BuildOptions(lock=tmp_path / "pylock.toml"))


def test_the_tool_knows_its_version_or_says_so() -> None:
    assert tool_version() == "unknown" or tool_version()[0].isdecimal()


def test_a_file_of_the_recipe_that_may_be_executed_is_another_input(tmp_path: Path) -> None:
    recipe = a_recipe(tmp_path / "web")
    added = replace(recipe, extra_files=(ExtraFile(path="bin/run", file="data/more.txt"),))
    before = inputs_digest(added, TARGET, PLAIN)
    (tmp_path / "web/data/more.txt").chmod(0o755)
    assert inputs_digest(added, TARGET, PLAIN) != before
