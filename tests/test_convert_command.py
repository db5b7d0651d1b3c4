from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from command_line import CommandLine
    from local_index import LocalIndex

SCRIPTS = Path(__file__).parent / "data" / "cleanup_scripts"
REQUIREMENTS = {
    "fastparquet": "fastparquet",
    "jinja": "jinja2",
    "sklearn": "scikit-learn\npandas",
    "sqlite_utils": "sqlite-utils",
    "xgboost": "xgboost-cpu",
}
TESTS = 'find /tmp/layer/python -path "**/tests/*" -delete\n'


def recipe(layercraft: CommandLine, script: str, **files: str) -> None:
    """Write the recipe `mine`; keywords are further files of it, `toml` for layer.toml."""
    layercraft.write({"layers/mine/requirements.txt": "plain\n", "layers/mine/cleanup.sh": script})
    if "toml" in files:
        layercraft.write({"layers/mine/layer.toml": files["toml"]})


def test_a_script_is_printed_as_globs_that_leave_the_same_files(layercraft: CommandLine) -> None:
    recipe(layercraft, f"{TESTS}rm -rf /tmp/layer/python/nothing\n")
    ran = layercraft.must("convert", "mine")
    cleanup = tomllib.loads(ran.out)["cleanup"]
    assert cleanup == {"preset": "none", "remove": ["tests/"]}
    assert '"tests/",  # line 1' in ran.out
    assert '# "/nothing",  # line 2; it matches no file for python3.13 x86_64' in ran.out
    assert "both leave the same 8 files" in ran.err
    assert not (layercraft.folder / "layers/mine/layer.toml").exists()


def test_what_is_written_builds_the_same_layer(layercraft: CommandLine) -> None:
    recipe(layercraft, TESTS)
    before = layercraft.must("build", "mine", "--json").document["layers"][0]
    ran = layercraft.must("convert", "mine", "--write")
    assert "layers/mine/layer.toml is written; remove cleanup.sh beside it" in ran.err
    (layercraft.folder / "layers/mine/cleanup.sh").unlink()
    after = layercraft.must("build", "mine", "--json").document["layers"][0]
    assert after["build"]["zip"]["sha256"] == before["build"]["zip"]["sha256"]
    assert [change["files"] for change in after["build"]["changes"]] == [
        change["files"] for change in before["build"]["changes"]
    ]


def test_a_layer_toml_that_is_there_is_never_overwritten(layercraft: CommandLine) -> None:
    recipe(layercraft, TESTS, toml='description = "Mine"\n[cleanup]\nkeep = ["plain/tests/__init__.py"]\n')
    ran = layercraft("convert", "mine", "--write")
    assert ran.code == 2
    assert ran.lines[0] == "error: layers/mine/layer.toml is there already, and is not overwritten"
    assert layercraft("convert", "mine").code == 1  # the script does not know `keep`


def test_lines_that_globs_cannot_say_are_told_and_differences_fail(layercraft: CommandLine) -> None:
    recipe(layercraft, f"{TESTS}for f in a; do\n  rm -f /tmp/layer/python/plain/data.json\ndone\n")
    ran = layercraft("convert", "mine", "--write")
    assert ran.code == 1
    warnings = [line for line in ran.err.splitlines() if line.startswith("warning: ")]
    assert warnings == [
        "warning: layers/mine/cleanup.sh, line 2: for f in a; do …: not converted: it is a loop",
        "warning: only the globs leave python/plain/data.json",
        "warning: they differ in 1 file for python3.13 x86_64: the globs do not replace the script",
    ]
    assert not (layercraft.folder / "layers/mine/layer.toml").exists()


def test_files_that_a_script_changes_are_told(layercraft: CommandLine) -> None:
    recipe(layercraft, "sed -i s/1/2/ /tmp/layer/python/plain/__init__.py\n")
    told = layercraft("convert", "mine", "--json")
    assert told.code == 1
    document = told.document
    assert document["script_changes"] == ["python/plain/__init__.py"]
    assert document["unconverted"][0]["why"] == "globs cannot say what sed does"
    assert (document["same"], document["globs"], document["written"]) == (False, [], None)


def test_a_recipe_without_a_script_has_nothing_to_convert(layercraft: CommandLine) -> None:
    ran = layercraft("convert", "jinja")
    assert ran.code == 2
    assert ran.lines == [
        "error: the recipe jinja has no cleanup.sh to convert",
        "hint: its layer.toml says all of it",
    ]


def test_the_table_of_changes_tells_what_a_script_did(layercraft: CommandLine, index: LocalIndex) -> None:
    assert index.files
    recipe(layercraft, f"{TESTS}echo 1 > /tmp/layer/python/plain/data.json\n")
    build = layercraft.must("build", "mine", "--json").document["layers"][0]["build"]
    script = next(change for change in build["changes"] if change["source"] == "cleanup.sh")
    tests = b"assert True\n" * 100
    assert sorted(script["removed"]) == ["python/plain/tests/__init__.py", "python/plain/tests/test_plain.py"]
    assert (script["files"], script["saved"]) == (3, len(tests) + len(b"[]\n") - len(b"1\n"))


@pytest.mark.network
@pytest.mark.parametrize("name", sorted(REQUIREMENTS))
def test_scripts_of_the_reference_tools_forms_are_converted_whole(online: CommandLine, name: str) -> None:
    """These five have the commands of imperva/aws-lambda-layer's; the wheels are real."""
    folder = f"layers/{name}"
    script = (SCRIPTS / f"{name}.sh").read_text(encoding="utf-8")
    online.write({f"{folder}/requirements.txt": REQUIREMENTS[name], f"{folder}/cleanup.sh": script})
    document = online("convert", name, "--json").document
    assert (document["same"], document["unconverted"]) == (True, [])
    assert document["files"] > 20
