from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from elf_sections import SectionedElf
from probed_layers import HERE, PYTHON
from wheelhouse import WheelDraft, record_bytes, zip_bytes
from world import huge

from layercraft import BuildOptions, Recipe, RequirementsInput, Target, open_sources, plan

if TYPE_CHECKING:
    from pathlib import Path

    from command_line import CommandLine
    from local_index import LocalIndex

EVERYTHING = ("plain", "toolkit[fast]", "space-beta", "twin-one", "twin-two", "new-app")
ALL = tuple(option for name in EVERYTHING for option in ("--require", name))


def planned(layercraft: CommandLine, *arguments: str) -> dict[str, Any]:
    (document,) = layercraft.must("plan", *arguments, "--json").document["plans"]
    return dict(document)


def built(layercraft: CommandLine, *arguments: str) -> dict[str, Any]:
    (document,) = layercraft.must("build", *arguments, "--json", "--no-check").document["layers"]
    return dict(document)


def least(plan: dict[str, Any]) -> int:
    """Give the bytes that a build has at least, as a plan tells them."""
    return int(plan["sizes"]["unzipped"] - sum(bound["at_most"] for bound in plan["bounds"]))


@pytest.mark.parametrize("preset", ["safe", "none"])
@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_a_plan_is_what_the_build_then_makes_to_the_byte(
    layercraft: CommandLine, preset: str, architecture: str
) -> None:
    arguments = (*ALL, "--preset", preset, "-r", "3.12", "-a", architecture)
    plan = planned(layercraft, *arguments)
    build = built(layercraft, *arguments)
    assert plan["sizes"] == build["sizes"]
    assert plan["changes"] == build["build"]["changes"]
    assert [pin["filename"] for pin in plan["pins"]] == [pin["filename"] for pin in build["build"]["pins"]]
    assert plan["bounds"] == []


def test_no_wheel_is_downloaded_and_nothing_written(layercraft: CommandLine, index: LocalIndex) -> None:
    index.add(WheelDraft(name="heavy", files={"heavy.bin": bytes(range(256)) * 4000}, stored=["heavy.bin"]))
    plan = planned(layercraft, "--require", "heavy")
    wheels = [each for each in index.requests if each.path.endswith(".whl")]
    assert all("range" in each.headers for each in wheels)
    assert 0 < plan["fetched"] < plan["wheels"] / 50
    assert not (layercraft.cache / "wheels").exists()
    assert layercraft.made() == []


def test_what_the_cache_has_is_not_asked_for(layercraft: CommandLine, index: LocalIndex) -> None:
    built(layercraft, "--require", "plain")
    index.forget()
    plan = planned(layercraft, "--require", "plain")
    assert index.count("/files/") == 0
    assert plan["fetched"] == 0
    assert planned(layercraft, "--require", "plain", "--offline") == plan


def test_the_rules_of_a_recipe_are_counted(layercraft: CommandLine) -> None:
    layercraft.write(
        {
            "layers/mine/requirements.txt": "plain\n",
            "layers/mine/layer.toml": '[cleanup]\nremove = ["**/tests/"]\n',
        }
    )
    ran = layercraft.must("plan", "mine")
    assert "mine for python3.13 x86_64" in ran.out.splitlines()
    assert "layers/mine/layer.toml: **/tests/" in ran.out
    assert planned(layercraft, "mine")["sizes"] == built(layercraft, "mine")["sizes"]


def test_a_script_is_not_run_and_what_it_may_save_is_bounded(layercraft: CommandLine) -> None:
    layercraft.write(
        {
            "layers/mine/requirements.txt": "plain\n",
            "layers/mine/cleanup.sh": "touch /tmp/layer/ran; rm -rf /tmp/layer/python/plain/tests\n",
        }
    )
    plan = planned(layercraft, "mine")
    (bound,) = plan["bounds"]
    assert (bound["source"], bound["at_most"]) == ("cleanup.sh", plan["sizes"]["unzipped"])
    assert bound["may_grow"]
    assert least(plan) <= built(layercraft, "mine")["sizes"]["unzipped"] < plan["sizes"]["unzipped"]
    ran = layercraft.must("plan", "mine")
    assert "Known by building only (unzipped, at most)" in ran.out
    assert planned(layercraft, "mine", "--preset", "none")["bounds"] == []


def test_a_rule_that_reads_imports_is_not_applied_and_its_most_is_told(layercraft: CommandLine) -> None:
    plan = planned(layercraft, "--require", "plain", "--preset", "small")
    build = built(layercraft, "--require", "plain", "--preset", "small")
    (bound,) = plan["bounds"]
    (tests,) = [each for each in build["build"]["changes"] if each["rule"] == bound["rule"]]
    assert 0 < tests["saved"] <= bound["at_most"]
    assert build["sizes"]["unzipped"] < plan["sizes"]["unzipped"]


def test_the_bounds_hold_the_lines_of_record_of_what_may_go(
    layercraft: CommandLine, index: LocalIndex
) -> None:
    tests = {f"odd/tests/test_{number}.py": b"" for number in range(50)}
    index.add(WheelDraft(name="odd", files={"odd/__init__.py": b"", **tests}))
    plan = planned(layercraft, "--require", "odd", "--preset", "small")
    build = built(layercraft, "--require", "odd", "--preset", "small")
    assert build["sizes"]["unzipped"] < plan["sizes"]["unzipped"]
    assert build["sizes"]["unzipped"] == least(plan)


@pytest.mark.parametrize("mode", ["only", "unchecked-hash"])
def test_bytecode_may_grow_the_layer_and_saves_no_more_than_is_told(
    layercraft: CommandLine, mode: str
) -> None:
    layercraft.write(
        {
            "layers/mine/requirements.txt": "toolkit\n",
            "layers/mine/layer.toml": f"[cleanup]\nstrip = true\nbytecode = '{mode}'\n",
        }
    )
    python = ("-r", HERE.markers["python_version"], "-a", HERE.architecture)
    plan = planned(layercraft, "mine", *python)
    build = built(layercraft, "mine", *python, "--python", str(PYTHON))
    bound = next(each for each in plan["bounds"] if each["source"] == "bytecode")
    (change,) = [each for each in build["build"]["changes"] if each["source"] == "bytecode"]
    assert bound["may_grow"]
    assert change["saved"] <= bound["at_most"]
    assert bound["at_most"] == 0 or mode == "only"
    assert build["sizes"]["unzipped"] >= least(plan)
    shown = layercraft.must("plan", "mine", *python).out.splitlines()
    (line,) = [each for each in shown if each.startswith(f"  bytecode: {mode}")]
    assert line.endswith("may grow, by how much is not known")
    assert ("-" in line.removeprefix(f"  bytecode: {mode}")) == (mode == "only")


def test_a_file_that_no_record_hashes_is_counted_to_the_byte_too(
    layercraft: CommandLine, index: LocalIndex
) -> None:
    draft = WheelDraft(name="old")
    own = "old-1.0.dist-info/RECORD"
    contents = {**draft.contents(), "old/data.txt": b"told by nobody"}
    contents = {name: data for name, data in contents.items() if name != own}
    contents[own] = record_bytes(dict(list(contents.items())[:1]), own).replace(b"sha256=", b"md5=")
    index.add((draft.filename, zip_bytes(contents)))
    plan = planned(layercraft, "--require", "old")
    build = built(layercraft, "--require", "old")
    assert plan["sizes"]["unzipped"] == build["sizes"]["unzipped"]


def test_a_layer_over_the_limit_is_a_warning(layercraft: CommandLine, index: LocalIndex) -> None:
    index.add(huge())
    ran = layercraft.must("plan", "--require", "huge")
    assert "warning: a build would be refused: the layer has 250.0 MB unzipped" in ran.err
    assert "(100%)" in ran.out


def test_what_may_still_be_saved_leaves_open_whether_a_build_is_refused(
    layercraft: CommandLine, index: LocalIndex
) -> None:
    library = SectionedElf().packed()
    index.add(WheelDraft(name="fast", files={"fast/libfast.so": library, "fast/data.bin": bytes(9000)}))

    def warned(limit: int) -> str:
        layercraft.write(
            {
                "layers/mine/requirements.txt": "fast\n",
                "layers/mine/layer.toml": f"[cleanup]\nstrip = true\n\n[limits]\nunzipped = {limit}\n",
            }
        )
        return layercraft.must("plan", "mine").err

    size = planned(layercraft, "--require", "fast")["sizes"]["unzipped"]
    assert "refused" not in warned(size)
    assert "warning: a build may be refused: the layer has" in warned(size - 1)
    assert "may be refused" in warned(size - len(library))
    assert "warning: a build would be refused: the layer has" in warned(size - len(library) - 1)


def test_a_lock_is_planned_and_what_would_change_it_refused(layercraft: CommandLine) -> None:
    layercraft.must("lock", "--require", "plain<1.1", "--name", "mine", "-a", "arm64")
    lock = "pylock.mine_3_13_arm64.toml"
    plan = planned(layercraft, "--lock", lock)
    assert (plan["name"], plan["architecture"]) == ("mine", "arm64")
    assert [pin["version"] for pin in plan["pins"]] == ["1.0"]
    ran = layercraft("plan", "--lock", lock, "--require", "lib")
    assert (ran.code, ran.out) == (2, "")
    assert "--lock says exactly what goes in" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "nothing to build"),
        (("nothere",), 2, "nothere"),
        (("--require", "no-such-package"), 1, "the index has no package of this name"),
        (("--require", "plain", "--offline"), 1, "forbidden"),
        (("--require", "plain", "--preset", "saef"), 2, "did you mean safe?"),
    ],
)
def test_what_cannot_be_planned_is_told(
    layercraft: CommandLine, arguments: tuple[str, ...], code: int, message: str
) -> None:
    ran = layercraft("plan", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err


def test_the_library_plans_in_silence(
    index: LocalIndex, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recipe = Recipe(name="mine", requirements=RequirementsInput.of(["toolkit[fast]"]))
    with open_sources(cache_dir=tmp_path / "cache", index_url=index.url) as sources:
        forecast = plan(recipe, Target.parse("3.13", "arm64"), BuildOptions(), sources=sources)
    assert [pin.name for pin in forecast.locked.pins] == ["native", "plain", "toolkit"]
    assert forecast.sizes.unzipped == forecast.changes[-1].tree.size
    assert forecast.locked.resolution is not None
    assert capfd.readouterr() == ("", "")
