from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from command_line import CommandLine
    from local_index import LocalIndex


def compared(layercraft: CommandLine, *arguments: str) -> dict[str, Any]:
    return dict(layercraft.must("diff", *arguments, "--json").document)


def test_two_zips_are_compared_by_distribution_folder_and_file(layercraft: CommandLine) -> None:
    layercraft.must("build", "--require", "plain<1.1", "--name", "old")
    layercraft.must("build", "--require", "plain", "--require", "lib", "--name", "new")
    zips = [f"outputs/{name}_3_13_x86_64.zip" for name in ("old", "new")]
    ran = layercraft.must("diff", *zips)
    assert "+  lib    2.0         " in ran.out
    assert "~  plain  1.0 -> 1.1  " in ran.out
    told = compared(layercraft, *zips)
    assert told["same"] is False
    assert told["differences"]["distribution"][0]["name"] == "lib"
    plain = next(each for each in told["differences"]["distribution"] if each["name"] == "plain")
    assert (plain["kind"], plain["versions"]) == ("changed", ["1.0", "1.1"])
    assert "python/plain-*.dist-info/METADATA" in {each["name"] for each in told["differences"]["file"]}
    assert told["unzipped"][1] - told["unzipped"][0] == sum(
        after - before for before, after in (each["unzipped"] for each in told["differences"]["distribution"])
    )


def test_a_recipe_is_planned_for_the_runtimes_that_are_named(
    layercraft: CommandLine, index: LocalIndex
) -> None:
    layercraft.write({"layers/mine/requirements.txt": "native\n"})
    told = compared(layercraft, "mine@3.12-arm64", "mine@3.14")
    assert told["differences"]["distribution"][0]["versions"] == ["2.0", "2.1"]
    names = {each["name"]: each["kind"] for each in told["differences"]["file"]}
    assert names["python/native/_speed.cpython-*.so"] == "changed"
    assert not (layercraft.cache / "wheels").exists()
    assert index.count("/files/") > 0


def test_a_zip_is_its_own_plan(layercraft: CommandLine) -> None:
    layercraft.write({"layers/mine/requirements.txt": "plain\ntoolkit[fast]\n"})
    layercraft.must("build", "mine", "-a", "arm64")
    arguments = ("mine@3.13-arm64", "outputs/mine_3_13_arm64.zip", "--exit-code")
    assert "the same bytes at the same paths" in layercraft.must("diff", *arguments).out
    assert compared(layercraft, *arguments)["differences"] == {"distribution": [], "folder": [], "file": []}


def test_the_exit_code_tells_a_difference_only_when_asked(layercraft: CommandLine) -> None:
    layercraft.write({"layers/mine/requirements.txt": "native\n"})
    assert layercraft("diff", "mine@3.12", "mine@3.13").code == 0
    assert layercraft("diff", "mine@3.12", "mine@3.13", "--exit-code").code == 1


def test_a_step_that_is_not_applied_is_told(layercraft: CommandLine) -> None:
    layercraft.write({"layers/mine/requirements.txt": "plain\n", "layers/mine/cleanup.sh": "true\n"})
    ran = layercraft.must("diff", "mine@3.12", "mine@3.13")
    assert "note: mine@3.12: cleanup.sh is not applied: only a build can tell what it does" in ran.err
    assert compared(layercraft, "mine@3.12", "mine@3.13")["not_applied"] == [
        {"operand": f"mine@{version}", "source": "cleanup.sh", "rule": ""} for version in ("3.12", "3.13")
    ]


@pytest.mark.parametrize(
    "extra", [{"cleanup.sh": "true\n"}, {"layer.toml": "[cleanup]\nbytecode = 'unchecked-hash'\n"}]
)
def test_layers_with_steps_that_are_not_applied_are_never_called_the_same(
    layercraft: CommandLine, extra: dict[str, str]
) -> None:
    layercraft.write({"layers/bare/layer.toml": "[cleanup]\npreset = 'none'\n"})
    layercraft.write({f"layers/{name}/requirements.txt": "plain\n" for name in ("bare", "more")})
    layercraft.write({f"layers/more/{name}": text for name, text in extra.items()})
    for operands in (("bare", "more"), ("more", "bare")):
        assert compared(layercraft, *operands)["same"] is None
        ran = layercraft("diff", *operands, "--exit-code")
        assert ran.code == 1
        assert "same" not in ran.out
    told = compared(layercraft, "bare", "bare", "--exit-code")
    assert (told["same"], told["not_applied"]) == (True, [])


@pytest.mark.parametrize(
    ("operand", "message"),
    [
        ("nothere.zip", "nothere.zip cannot be read: no such file or directory"),
        ("nothere", "unknown recipe 'nothere'"),
        ("mine@5.1", "unknown runtime '5.1'"),
        ("mine@3.12-sparc", "sparc"),
        ("@", "@ cannot be read"),
        ("", "cannot be read"),
    ],
)
def test_what_cannot_be_compared_is_told(layercraft: CommandLine, operand: str, message: str) -> None:
    layercraft.write({"layers/mine/requirements.txt": "native\n"})
    ran = layercraft("diff", operand, "mine")
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
