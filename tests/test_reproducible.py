"""The same lock gives the same bytes, whoever builds it, wherever and however many at once."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import zipfile
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from command_line import CommandLine
from wheelhouse import WheelDraft

if TYPE_CHECKING:
    from pathlib import Path

    from local_index import LocalIndex

LOCK = "pylock.toolkit_3_13_x86_64.toml"
ZIP = "toolkit_3_13_x86_64.zip"

# Members of every kind: deflated ones are copied, stored ones deflated here, scripts rewritten.
ODD = WheelDraft(
    name="odd",
    files={"odd/stored.bin": b"stored" * 5000, "odd/größe.txt": b"", "odd/tool": b"#!/bin/sh\n"},
    data={"scripts/odd-tool": b"#!python\nprint()\n", "data/share/odd.txt": b"x" * 100},
    stored=["odd/stored.bin"],
    modes={"odd/tool": 0o100700},
)


@pytest.fixture
def lock(layercraft: CommandLine, index: LocalIndex) -> Path:
    """Give a lock of four wheels."""
    index.add(ODD)
    layercraft.must("lock", "--require", "toolkit[fast]", "--require", "odd")
    return layercraft.folder / LOCK


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def elsewhere(root: Path, lock: Path) -> CommandLine:
    """Give a command line in another folder, with a cache of its own and a copy of the lock."""
    root.mkdir(parents=True)
    other = CommandLine(root)
    shutil.copy(lock, other.folder)
    return other


def test_the_same_lock_gives_the_same_bytes_in_any_surroundings(
    layercraft: CommandLine, tmp_path: Path, lock: Path
) -> None:
    layercraft.must("build", "--lock", lock, "--preset", "none")
    other = elsewhere(tmp_path / "a folder with spaces" / "é", lock)
    ran = other(
        "build",
        "--lock",
        LOCK,
        "--preset",
        "none",
        within='umask 077; "$@"',
        TZ="Asia/Kathmandu",
        LC_ALL="C",
        PYTHONHASHSEED="12345",
        PYTHONUTF8="0",
        COLUMNS="20",
    )
    assert ran.code == 0, ran.err
    assert sha256(other.outputs / ZIP) == sha256(layercraft.outputs / ZIP)
    for made in ("toolkit_3_13_x86_64.json", LOCK):
        assert (other.outputs / made).read_bytes() == (layercraft.outputs / made).read_bytes()


def test_a_cached_build_gives_the_same_bytes_as_the_first(layercraft: CommandLine, lock: Path) -> None:
    layercraft.must("build", "--lock", lock)
    layercraft.must("build", "--lock", lock, "--offline", "--no-check", "-o", "again")
    assert sha256(layercraft.folder / "again" / ZIP) == sha256(layercraft.outputs / ZIP)


def test_many_builds_at_once_share_one_cache(layercraft: CommandLine, index: LocalIndex, lock: Path) -> None:
    index.fail("/files/", pace=0.01)
    with ExitStack() as stack:
        processes = [
            stack.enter_context(layercraft.started("build", "--lock", str(lock), "-o", f"out{number}"))
            for number in range(4)
        ]
        ends = [process.communicate(timeout=30) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, ends
    assert len({sha256(layercraft.folder / f"out{number}" / ZIP) for number in range(4)}) == 1
    assert not list(layercraft.cache.glob("temporary/*"))
    assert len(list(layercraft.cache.glob("wheels/*/*"))) == 4


def test_zipfile_finds_nothing_wrong(layercraft: CommandLine, lock: Path) -> None:
    layercraft.must("build", "--lock", lock, "--preset", "none")
    with zipfile.ZipFile(layercraft.outputs / ZIP) as reader:
        assert reader.testzip() is None
        infos = reader.infolist()
    assert [info.filename for info in infos] == sorted(info.filename for info in infos)
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {info.external_attr >> 16 for info in infos} == {0o100644, 0o100755}
    assert {info.create_system for info in infos} == {3}
    assert not any(info.is_dir() for info in infos)


@pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not installed")
def test_unzip_finds_nothing_wrong(layercraft: CommandLine, lock: Path) -> None:
    layercraft.must("build", "--lock", lock, "--preset", "none")
    path = layercraft.outputs / ZIP
    told = subprocess.run(["unzip", "-t", path], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout
    assert told.stdout.splitlines()[-1].startswith("No errors detected")
    with zipfile.ZipFile(path) as reader:
        assert told.stdout.count(" OK") == len(reader.namelist())
