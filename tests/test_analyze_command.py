from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from command_line import CommandLine

MEGABYTE = 1 << 20


@pytest.fixture
def foreign(layercraft: CommandLine) -> Path:
    """Give a layer that another tool made."""
    path = layercraft.folder / "foreign.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("python")
        archive.writestr("python/big/model.bin", bytes(25 * MEGABYTE))
        archive.writestr("python/big/data/table.csv", b"1,2\n" * (MEGABYTE // 4))
        archive.writestr("python/small.py", b"x = 1\n")
        archive.writestr("python/lib.libs/libgfortran-1.so.5.0", bytes(MEGABYTE))
        archive.writestr("python/big-2.0.dist-info/RECORD", b"big/model.bin,,\nbig/data/table.csv,,\n")
    return path


def test_a_build_ends_with_the_analysis(layercraft: CommandLine) -> None:
    built = layercraft.must("build", "--require", "toolkit[fast]").out
    told = layercraft.must("analyze", "outputs/toolkit_3_13_x86_64.zip").out
    report = told.partition("\n")[2]
    assert report in built
    titles = [line for line in report.splitlines() if not line.startswith(" ")]
    assert titles == [
        "Size",
        "Distributions (unzipped, zipped)",
        "Folders (unzipped, zipped)",
        "Files (unzipped, zipped)",
        "File types (unzipped, zipped)",
    ]


def test_both_gauges_count_as_aws_does(layercraft: CommandLine, foreign: Path) -> None:
    lines = layercraft.must("analyze", foreign).out.splitlines()
    assert lines[0] == str(foreign)
    assert lines[2] == f"  unzipped {'█' * 3}{'░' * 27} 27.0 MB of 250.0 MB (11%)"
    assert lines[3].endswith(" 0.03 MB of 50.0 MB (0%)")


def test_the_largest_are_listed_in_every_grouping(layercraft: CommandLine, foreign: Path) -> None:
    (layer,) = layercraft.must("analyze", foreign, "--json").document["layers"]
    assert layer["zip"] == str(foreign)
    assert layer["zipped"] == foreign.stat().st_size
    assert (layer["unzipped_limit"], layer["direct_upload_limit"]) == (262_144_000, 52_428_800)
    top = {grouping: [share["name"] for share in shares] for grouping, shares in layer["top"].items()}
    assert top["distribution"][:2] == ["big", "lib.libs"]
    assert top["folder"][:3] == ["python/big", "python/big/data", "python/lib.libs"]
    assert top["file"][:2] == ["python/big/model.bin", "python/big/data/table.csv"]
    assert top["type"][:3] == [".bin", ".csv", ".so"]


def test_the_shares_of_a_layer_add_up(layercraft: CommandLine, foreign: Path) -> None:
    (layer,) = layercraft.must("analyze", foreign, "--json").document["layers"]
    with zipfile.ZipFile(foreign) as reader:
        infos = [info for info in reader.infolist() if not info.is_dir()]
    for shares in layer["top"].values():
        assert sum(share["unzipped"] for share in shares) == sum(info.file_size for info in infos)
        assert sum(share["zipped"] for share in shares) == sum(info.compress_size for info in infos)
        assert sum(share["files"] for share in shares) == len(infos) == layer["files"]


def test_ten_are_shown_or_as_many_as_are_asked_for(layercraft: CommandLine) -> None:
    path = layercraft.folder / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(30):
            archive.writestr(f"python/module{number:02}/a.t{number:02}", bytes(100 + number))
    documents = [
        layercraft.must("analyze", path, "--json", *options).document["layers"][0]["top"]
        for options in ([], ["-t", "3"], ["--top", "40"])
    ]
    assert [{len(shares) for shares in top.values()} for top in documents] == [{10}, {3}, {30}]
    assert [share["name"] for share in documents[1]["type"]] == [".t29", ".t28", ".t27"]
    assert layercraft.must("analyze", path, "-t", "1").out.count("python/") == 2


def test_top_limits_the_analysis_of_a_build(layercraft: CommandLine) -> None:
    (layer,) = layercraft.must("build", "--require", "toolkit", "-t", "1", "--json").document["layers"]
    assert {len(shares) for shares in layer["sizes"]["top"].values()} == {1}


def test_several_layers_are_analysed_in_their_order(layercraft: CommandLine, foreign: Path) -> None:
    layercraft.must("build", "--require", "lib")
    own = "outputs/lib_3_13_x86_64.zip"
    ran = layercraft.must("analyze", foreign, own, "--json")
    assert [layer["zip"] for layer in ran.document["layers"]] == [str(foreign), own]
    assert layercraft.must("analyze", own, foreign).out.startswith(f"{own}\n")


def test_a_layer_is_analysed_without_its_record(layercraft: CommandLine, tmp_path: Path) -> None:
    built = layercraft.must("build", "--require", "toolkit[fast]", "--json").document["layers"][0]
    moved = (layercraft.outputs / "toolkit_3_13_x86_64.zip").rename(tmp_path / "moved.zip")
    (layer,) = layercraft.must("analyze", moved, "--json").document["layers"]
    assert layer.pop("zip") == str(moved)
    assert layer == built["sizes"]


@pytest.mark.parametrize("name", ["absent.zip", "folder", "text.zip"])
def test_what_is_no_zip_is_refused(layercraft: CommandLine, name: str) -> None:
    layercraft.write({"folder/file": "", "text.zip": "no zip"})
    ran = layercraft("analyze", name)
    assert (ran.code, ran.out) == (2, "")
    assert ran.lines[0].startswith(f"error: {name} ")
