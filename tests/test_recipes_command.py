from __future__ import annotations

import tomllib
import zipfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from command_line import CommandLine

SHIPPED = ["fastparquet", "jinja", "sklearn", "sqlite_utils", "xgboost"]

# In the shape of the reference tool's scripts, which run as root in a container of their own.
CLEANUP = """\
#!/bin/sh
cd /tmp/layer/python/
find . -type f -path "**/tests/*" -delete
find /tmp/layer/python/ -name "*.pyi" | xargs -r rm -f
rm -rf /tmp/layer/python/plain/data.json
find . -type d -empty -delete
echo "cleaned ${LAYER_DIR:?}"
"""


@pytest.fixture
def temporary(layercraft: CommandLine, tmp_path: Path) -> Path:
    """Give the folder that the command takes for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    layercraft.environment["TMPDIR"] = str(folder)
    return folder


def scripted(layercraft: CommandLine, script: str, settings: str = "") -> None:
    """Make the recipe `mine` with a cleanup.sh."""
    files = {"layers/mine/requirements.txt": "plain\n", "layers/mine/cleanup.sh": script}
    layercraft.write(files | ({"layers/mine/layer.toml": settings} if settings else {}))


def contents(layercraft: CommandLine) -> set[str]:
    with zipfile.ZipFile(layercraft.outputs / "mine_3_13_x86_64.zip") as reader:
        return set(reader.namelist())


def test_the_five_recipes_are_shipped(layercraft: CommandLine) -> None:
    ran = layercraft.must("list")
    assert [line.split()[0] for line in ran.out.splitlines()] == SHIPPED
    recipes = layercraft.must("list", "--json").document["recipes"]
    assert recipes[2]["requirements"] == ["scikit-learn", "pandas"]
    assert {recipe["from"] for recipe in recipes} == {"shipped"}


def test_own_recipes_are_listed_and_hide_those_shipped(layercraft: CommandLine) -> None:
    layercraft.write(
        {"layers/jinja/requirements.txt": "plain\n", "layers/own/requirements.txt": "toolkit[fast]>=1,<2\n"}
    )
    recipes = layercraft.must("list", "--json").document["recipes"]
    found = {recipe["name"]: (recipe["from"], recipe["requirements"]) for recipe in recipes}
    assert found["jinja"] == ("./layers", ["plain"])
    assert found["own"] == ("./layers", ["toolkit[fast]<2,>=1"])
    assert sorted(found) == sorted([*SHIPPED, "own"])


def test_a_broken_recipe_keeps_no_other_from_being_listed(layercraft: CommandLine) -> None:
    files = {"layers/own/requirements.txt": "plain\n", "layers/broken/requirements.txt": "plain\n"}
    layercraft.write({**files, "layers/broken/layer.toml": "licence = 'MIT'\n"})
    ran = layercraft("list")
    assert ran.code == 2
    assert sorted(line.split()[0] for line in ran.out.splitlines()) == sorted([*SHIPPED, "own"])
    assert [line.partition(" cannot")[0] for line in ran.err.splitlines()] == ["warning: broken"]

    ran = layercraft("list", "--json")
    assert ran.code == 2
    (broken,) = [each for each in ran.document["recipes"] if "error" in each]
    assert (broken["name"], broken["from"]) == ("broken", "./layers")
    assert broken["error"]["kind"] == "ConfigurationError"
    assert "layer.toml" in broken["error"]["message"]
    assert len(ran.document["recipes"]) == len(SHIPPED) + 2


@pytest.mark.parametrize("command", ["build", "lock"])
def test_two_recipes_whose_layers_would_bear_one_name_are_refused(
    layercraft: CommandLine, command: str
) -> None:
    layercraft.write({"layers/a.b/requirements.txt": "plain\n", "layers/a-b/requirements.txt": "lib\n"})
    ran = layercraft(command, "a.b", "a-b")
    assert ran.code == 2
    assert ran.lines[0] == "error: the recipes a.b and a-b make layers of one name, a-b"
    assert layercraft.made() == []
    assert layercraft("build", "a.b", "a.b").code == 0


def test_a_new_recipe_can_be_listed_edited_and_built(layercraft: CommandLine) -> None:
    ran = layercraft.must("new", "mine", "--require", "plain>=1", "--require", "lib")
    folder = layercraft.folder / "layers/mine"
    assert sorted(path.name for path in folder.iterdir()) == ["layer.toml", "requirements.txt"]
    assert (folder / "requirements.txt").read_text() == "plain>=1\nlib\n"
    assert tomllib.loads((folder / "layer.toml").read_text())["description"] == "plain, lib"
    assert "layercraft build mine" in ran.out
    layercraft.must("build", "mine")
    assert {"python/lib.py", "python/plain/__init__.py"} <= contents(layercraft)


def test_a_new_recipe_is_told_as_json(layercraft: CommandLine) -> None:
    assert layercraft.must("new", "mine", "--require", "lib", "--json").document == {"recipe": "layers/mine"}


def test_new_overwrites_nothing(layercraft: CommandLine) -> None:
    layercraft.write({"layers/mine/requirements.txt": "plain\n"})
    ran = layercraft("new", "mine", "--require", "lib")
    assert ran.code == 2
    assert ran.lines[0] == "error: layers/mine exists already"
    assert (layercraft.folder / "layers/mine/requirements.txt").read_text() == "plain\n"


@pytest.mark.parametrize("name", ["a b", "../up", ""])
def test_new_refuses_names_that_no_layer_may_bear(layercraft: CommandLine, name: str) -> None:
    ran = layercraft("new", name, "--require", "lib")
    assert ran.code == 2
    assert ran.lines[0] == f"error: {name!r} cannot name a recipe"
    assert list(layercraft.folder.iterdir()) == []


def test_a_script_of_the_reference_tool_runs_unmodified_and_no_preset_beside_it(
    layercraft: CommandLine, temporary: Path
) -> None:
    scripted(layercraft, CLEANUP)
    ran = layercraft.must("build", "mine", "--json")
    assert contents(layercraft) == {
        "python/bin/plain-tool",
        "python/plain-1.1.dist-info/METADATA",
        "python/plain-1.1.dist-info/RECORD",
        "python/plain-1.1.dist-info/WHEEL",
        "python/plain-1.1.dist-info/entry_points.txt",
        "python/plain/__init__.py",
    }
    changes = ran.document["layers"][0]["build"]["changes"]
    assert [change["source"] for change in changes] == ["cleanup.sh", "layercraft"]
    assert changes[0]["removed"] == [
        "python/plain/__init__.pyi",
        "python/plain/data.json",
        "python/plain/tests/__init__.py",
        "python/plain/tests/test_plain.py",
    ]
    assert list(temporary.iterdir()) == []
    assert (layercraft.folder / "layers/mine/cleanup.sh").read_text() == CLEANUP


def test_globs_run_after_the_script_and_keep_does_not_bind_it(
    layercraft: CommandLine,
    temporary: Path,
) -> None:
    settings = (
        '[cleanup]\npreset = "safe"\nremove = ["made.txt"]\nkeep = ["plain/tests/", "plain/data.json"]\n'
    )
    scripted(
        layercraft,
        "rm /tmp/layer/python/plain/data.json; echo > /tmp/layer/python/made.txt; echo > $LAYER_DIR/here",
        settings,
    )
    layercraft.must("build", "mine")
    found = contents(layercraft)
    assert {"here", "python/plain/tests/test_plain.py"} <= found
    assert found.isdisjoint({"python/plain/data.json", "python/made.txt", "python/plain/__init__.pyi"})
    assert list(temporary.iterdir()) == []


def test_a_failing_script_stops_the_build_with_its_output(layercraft: CommandLine, temporary: Path) -> None:
    scripted(layercraft, "echo looking; echo 'it went wrong' >&2; exit 3\n")
    ran = layercraft("build", "mine")
    assert (ran.code, ran.out) == (1, "")
    assert ran.lines == [
        "error: layers/mine/cleanup.sh ended with exit code 3; its last lines:",
        "looking",
        "it went wrong",
        "hint: nothing was written",
    ]
    assert layercraft.made() == []
    assert list(temporary.iterdir()) == []


def test_the_scripts_own_output_stays_out_of_the_json_document(
    layercraft: CommandLine, temporary: Path
) -> None:
    scripted(layercraft, "echo '{}'; exit 1\n")
    error = layercraft("build", "mine", "--json").document["error"]
    assert error["kind"] == "ScriptError"
    assert error["message"].endswith("its last lines:\n{}")
    assert list(temporary.iterdir()) == []
