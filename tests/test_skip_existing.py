from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from command_line import CommandLine
    from local_index import LocalIndex

RECIPE = {
    "layers/mine/requirements.txt": "toolkit\n-c limits.txt\n",
    "layers/mine/limits.txt": "plain>=1\n",
    "layers/mine/layer.toml": 'description = "mine"\n',
}


def skipped(layercraft: CommandLine, *arguments: str | Path) -> bool:
    """Build with -s, and tell whether that was skipped."""
    (layer,) = layercraft.must("build", "-s", "--json", *arguments).document["layers"]
    return bool(layer["skipped"])


def test_a_build_from_the_same_inputs_is_skipped_and_asks_nobody(
    layercraft: CommandLine, index: LocalIndex
) -> None:
    first = layercraft.must("build", "--require", "plain", "-s", "--json").document["layers"][0]
    before = {path: path.stat().st_mtime_ns for path in layercraft.outputs.iterdir()}
    index.forget()
    again = layercraft.must("build", "--require", "plain", "-s", "--json").document["layers"][0]
    assert index.requests == []
    assert {path: path.stat().st_mtime_ns for path in layercraft.outputs.iterdir()} == before
    assert (first.pop("skipped"), again.pop("skipped")) == (False, True)
    assert again == first
    assert (
        "is there already, built from the same inputs"
        in layercraft.must("build", "--require", "plain", "-s").out
    )


def test_without_the_option_nothing_is_skipped(layercraft: CommandLine) -> None:
    for _ in range(2):
        (layer,) = layercraft.must("build", "--require", "plain", "--json").document["layers"]
        assert not layer["skipped"]


def test_every_changed_option_builds_anew(layercraft: CommandLine) -> None:
    base = ("--require", "toolkit[fast]", "--name", "mine")
    layercraft.write({"limits.txt": "plain<2\n"})
    for options in (
        (),
        ("--preset", "none"),
        ("--exclude", "native"),
        ("--strict",),
        ("--no-check",),
        ("--require", "lib"),
        ("-c", "limits.txt"),
        ("-r", "3.12"),
        ("-a", "arm64"),
    ):
        assert not skipped(layercraft, *base, *options), options
    assert skipped(layercraft, *base, "-a", "arm64")


def test_another_index_builds_anew(layercraft: CommandLine, index: LocalIndex) -> None:
    assert not skipped(layercraft, "--require", "plain")
    assert not skipped(layercraft, "--require", "plain", "--index-url", f"{index.url}/simple")


def test_every_changed_file_of_a_recipe_builds_anew(layercraft: CommandLine) -> None:
    layercraft.write(RECIPE)
    assert not skipped(layercraft, "mine")
    for change in (
        {"layers/mine/requirements.txt": "toolkit[fast]\n-c limits.txt\n"},
        {"layers/mine/limits.txt": "plain<1.1\n"},
        {"layers/mine/layer.toml": '[cleanup]\nremove = ["**/tests/"]\n'},
        {"layers/mine/cleanup.sh": "true\n"},
        {"layers/mine/smoke.py": "import plain\n"},
    ):
        layercraft.write(change)
        assert not skipped(layercraft, "mine"), change
    assert skipped(layercraft, "mine")


def test_a_changed_lock_builds_anew(layercraft: CommandLine) -> None:
    lock = layercraft.folder / "pylock.mine_3_13_x86_64.toml"
    for wanted in ("plain", "plain<1.1"):
        layercraft.must("lock", "--require", wanted, "--name", "mine")
        assert not skipped(layercraft, "--lock", lock)
    assert skipped(layercraft, "--lock", lock)


def test_a_damaged_zip_is_built_anew(layercraft: CommandLine) -> None:
    archive = layercraft.outputs / "plain_3_13_x86_64.zip"
    layercraft.must("build", "--require", "plain")
    right = archive.read_bytes()
    archive.write_bytes(right[:-1] + b"!")
    assert not skipped(layercraft, "--require", "plain")
    assert archive.read_bytes() == right


def test_a_missing_file_is_built_anew(layercraft: CommandLine) -> None:
    layercraft.must("build", "--require", "plain")
    for path in list(layercraft.outputs.iterdir()):
        path.unlink()
        assert not skipped(layercraft, "--require", "plain"), path
        assert path.is_file()


def test_a_folder_that_is_asked_for_is_laid_out_all_the_same(layercraft: CommandLine) -> None:
    layercraft.must("build", "--require", "plain")
    assert not skipped(layercraft, "--require", "plain", "--unpacked", "tree")
    assert (layercraft.folder / "tree/python/plain/__init__.py").is_file()
