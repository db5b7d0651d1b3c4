"""What a build says of the layer that it made: the static verdict by default, imports with --verify."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

import layercraft as library
from layercraft import BuildOptions, Recipe, RequirementsInput, Target

if TYPE_CHECKING:
    from pathlib import Path

    from command_line import CommandLine
    from local_index import LocalIndex

HERE = "{}.{}".format(*sys.version_info)
BROKEN = {
    "layers/broken/requirements.txt": "plain\n",
    "layers/broken/layer.toml": '[cleanup]\nremove = ["*.dist-info/"]\n',
}


def test_a_build_ends_with_the_static_verdict_in_one_line(layercraft: CommandLine) -> None:
    ran = layercraft.must("build", "--require", "plain")
    assert ran.out.splitlines()[-1] == (
        "outputs/plain_3_13_x86_64.zip: nothing found for python3.13 x86_64; no import was run, engine static"
    )


def test_a_finding_keeps_the_zip_names_the_rule_and_exits_with_1(layercraft: CommandLine) -> None:
    layercraft.write(BROKEN)
    ran = layercraft("build", "broken")
    assert ran.code == 1
    assert layercraft.made() == [
        "broken_3_13_x86_64.json",
        "broken_3_13_x86_64.zip",
        "pylock.broken_3_13_x86_64.toml",
    ]
    assert "metadata-missing: plain" in ran.out
    assert "removed by rule *.dist-info/ of layers/broken/layer.toml" in ran.out
    assert ran.out.splitlines()[-1] == (
        "outputs/broken_3_13_x86_64.zip: fails on python3.13 x86_64: 1 finding, engine static"
    )


def test_one_broken_layer_does_not_keep_the_others_from_being_built(layercraft: CommandLine) -> None:
    layercraft.write({**BROKEN, "layers/whole/requirements.txt": "plain\n"})
    ran = layercraft("build", "broken", "whole")
    assert ran.code == 1
    assert "whole_3_13_x86_64.zip" in layercraft.made()


def test_a_layer_that_is_there_already_is_judged_too(layercraft: CommandLine) -> None:
    layercraft.write(BROKEN)
    layercraft("build", "broken")
    ran = layercraft("build", "broken", "--skip-existing")
    assert (ran.code, "built from the same inputs" in ran.out) == (1, True)


def test_without_checks_nothing_is_judged(layercraft: CommandLine) -> None:
    layercraft.write(BROKEN)
    assert "engine static" not in layercraft.must("build", "broken", "--no-check").out
    (layer,) = layercraft.must("build", "broken", "--no-check", "--json").document["layers"]
    assert layer["verdict"] is None


def test_the_verdict_is_part_of_the_json_document(layercraft: CommandLine) -> None:
    layercraft.write(BROKEN)
    ran = layercraft("build", "broken", "--json")
    (layer,) = ran.document["layers"]
    assert (ran.code, layer["verdict"]["exit_code"]) == (1, 1)
    assert [each["kind"] for each in layer["verdict"]["findings"]] == ["metadata-missing"]


def test_a_layer_is_proved_right_after_it_was_built(layercraft: CommandLine) -> None:
    ran = layercraft.must("build", "--require", "plain", "-r", HERE, "--verify")
    assert ran.out.splitlines()[-1].startswith(f"outputs/plain_{HERE.replace('.', '_')}_x86_64.zip: works on")


def test_an_import_that_fails_is_found_right_after_the_build(layercraft: CommandLine) -> None:
    layercraft.write(
        {
            "layers/wrong/requirements.txt": "plain\n",
            "layers/wrong/layer.toml": '[verify]\nimports = ["plain", "plain.nothing"]\n',
        }
    )
    ran = layercraft("build", "wrong", "-r", HERE, "--verify", "--json")
    (layer,) = ran.document["layers"]
    assert (ran.code, [each["subject"] for each in layer["verdict"]["findings"]]) == (1, ["plain.nothing"])


def test_a_layer_whose_imports_cannot_run_here_is_told_by_exit_code_3(layercraft: CommandLine) -> None:
    ran = layercraft("build", "--require", "plain", "-r", "3.8", "--verify", PATH="")
    assert ran.code == 3, ran.err
    assert "no import was run" in ran.out


@pytest.mark.parametrize("check", [True, False])
def test_the_library_gives_the_verdict_with_the_layer(
    tmp_path: Path, index: LocalIndex, *, check: bool
) -> None:
    recipe = Recipe(name="plain", requirements=RequirementsInput.of(["plain"]))
    options = BuildOptions(output=tmp_path / "outputs", check=check)
    with library.open_sources(index_url=index.url, cache_dir=tmp_path / "cache") as sources:
        built = library.build(recipe, Target.parse("3.13", "x86_64"), options, sources=sources)
    assert (built.verdict.passed if built.verdict else None) is (True if check else None)
