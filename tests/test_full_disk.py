"""File systems that are full or read-only: mounted for one command alone, in a namespace of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from wheelhouse import WheelDraft

if TYPE_CHECKING:
    from pathlib import Path

    from command_line import CommandLine, Ran
    from local_index import LocalIndex

NOISE = WheelDraft(name="noise", files={"noise/data.bin": os.urandom(300_000)})


def _namespace() -> list[str]:
    """Give the command that lets a process mount what no other sees; none where that is forbidden."""
    for options in (["-m"], ["-r", "-m"]):
        command = ["unshare", *options]
        try:
            subprocess.run(
                [*command, "mount", "-t", "tmpfs", "none", "/mnt"], check=True, capture_output=True
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return command
    return []


NAMESPACE = _namespace() if sys.platform == "linux" else []

pytestmark = pytest.mark.skipif(not NAMESPACE, reason="mounting a file system is not allowed here")


def run_with(layercraft: CommandLine, folder: Path, options: str, *arguments: str) -> tuple[Ran, list[str]]:
    """Run a command while `folder` is a file system of its own; give also what lies in it at the end."""
    folder.mkdir(exist_ok=True)
    listing = layercraft.folder / "listing"
    mounting = f'mount -t tmpfs -o {options} none "{folder}"'
    script = f'{mounting}; "$@"; code=$?; ls -A "{folder}" > "{listing}"; exit $code'
    ran = layercraft(*arguments, within=script, namespace=NAMESPACE)
    return ran, listing.read_text(encoding="utf-8").split()


def test_a_full_output_folder_is_told_and_left_as_it_was(layercraft: CommandLine, index: LocalIndex) -> None:
    index.add(NOISE)
    ran, left = run_with(layercraft, layercraft.outputs, "size=64k", "build", "--require", "noise")
    assert ran.code == 1
    assert ran.lines == [
        "error: outputs/noise_3_13_x86_64.zip cannot be written: the disk is full",
        "hint: free some space there, or name another folder",
    ]
    assert left == []


def test_a_full_cache_is_told(layercraft: CommandLine, index: LocalIndex) -> None:
    index.add(NOISE)
    ran, left = run_with(layercraft, layercraft.cache, "size=64k", "build", "--require", "noise", "--json")
    assert ran.code == 1
    error = ran.document["error"]
    assert error["message"] == f"cannot write to the cache {layercraft.cache}: the disk is full"
    assert "wheels" not in left
    assert layercraft.made() == []


def test_a_full_folder_for_temporary_files_is_told(
    layercraft: CommandLine, index: LocalIndex, tmp_path: Path
) -> None:
    index.add(NOISE)
    layercraft.write({"layers/mine/requirements.txt": "noise\n", "layers/mine/cleanup.sh": "true\n"})
    layercraft.environment["TMPDIR"] = str(tmp_path / "temporary")
    ran, left = run_with(layercraft, tmp_path / "temporary", "size=64k", "build", "mine")
    assert ran.code == 1
    assert "cannot be written: the disk is full" in ran.lines[0]
    assert left == []
    assert layercraft.made() == []


def test_a_folder_that_must_not_be_written_is_told(layercraft: CommandLine) -> None:
    ran, left = run_with(layercraft, layercraft.outputs, "ro", "build", "--require", "lib")
    assert ran.code == 1
    assert ran.lines[0] == "error: outputs/lib_3_13_x86_64.zip cannot be written: read-only file system"
    assert left == []


def test_a_cache_that_must_not_be_written_is_told(layercraft: CommandLine) -> None:
    ran, _ = run_with(layercraft, layercraft.cache, "ro", "build", "--require", "lib")
    assert ran.code == 1
    assert f"cannot write to the cache {layercraft.cache}: read-only file system" in ran.lines[0]


def test_a_recipe_that_cannot_be_written_is_told(layercraft: CommandLine) -> None:
    ran, left = run_with(layercraft, layercraft.folder / "layers", "ro", "new", "mine", "--require", "lib")
    assert ran.code == 1
    assert "cannot write layers/mine: read-only file system" in ran.lines[0].lower()
    assert left == []


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["build", "nothing", "--json"]])
def test_a_full_disk_below_stdout_is_told_on_stderr(layercraft: CommandLine, arguments: list[str]) -> None:
    ran = layercraft(*arguments, within='"$@" > /dev/full')
    assert ran.code == (2 if "nothing" in arguments else 1)
    assert ran.lines[0].startswith("error: ")


def test_a_full_disk_below_stderr_stops_no_build(layercraft: CommandLine) -> None:
    assert layercraft("build", "--require", "plain", within='"$@" 2> /dev/full').code == 0
    assert "plain_3_13_x86_64.zip" in layercraft.made()
