from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from command_line import CommandLine
    from local_index import LocalIndex


def test_an_empty_cache_is_shown_and_not_made(layercraft: CommandLine) -> None:
    ran = layercraft.must("cache", "info")
    assert f"{layercraft.cache} holds 0 entries" in ran.out
    assert not layercraft.cache.exists()


def test_info_counts_what_is_there(layercraft: CommandLine, index: LocalIndex) -> None:
    layercraft.must("build", "--require", "toolkit")
    told = layercraft.must("cache", "info", "--json").document
    assert told["cache"] == str(layercraft.cache)
    wheels = [file.data for name, file in index.files.items() if name.startswith(("toolkit", "plain-1.1"))]
    assert told["kinds"]["wheels"] == {"entries": 2, "bytes": sum(map(len, wheels))}
    files = [path for path in layercraft.cache.rglob("*") if path.is_file()]
    assert (told["entries"], told["bytes"]) == (len(files), sum(path.stat().st_size for path in files))
    assert f"holds {len(files)} entries" in layercraft.must("cache", "info").out


def test_prune_removes_what_was_not_used_for_some_days(layercraft: CommandLine) -> None:
    layercraft.must("build", "--require", "toolkit")
    (old, *_) = sorted(layercraft.cache.glob("wheels/*/*"))
    long_ago = time.time() - 40 * 86_400
    os.utime(old, (long_ago, long_ago))
    assert layercraft.must("cache", "prune", "--older-than", "50", "--json").document["entries"] == 0
    told = layercraft.must("cache", "prune", "--json").document
    assert (told["entries"], told["kinds"]["wheels"]["entries"]) == (1, 1)
    assert not old.exists()
    layercraft.must("build", "--require", "toolkit")
    assert old.is_file()


def test_clear_removes_all_and_nothing_else(layercraft: CommandLine) -> None:
    layercraft.must("build", "--require", "plain")
    (layercraft.cache / "diary.txt").write_text("dear")
    ran = layercraft.must("cache", "clear")
    assert f"{layercraft.cache} gave up" in ran.out
    assert [path.name for path in layercraft.cache.rglob("*")] == ["diary.txt"]
    assert layercraft("build", "--require", "plain", "--offline").code == 1


def test_the_option_wins_over_the_environment(layercraft: CommandLine, tmp_path: Path) -> None:
    other = tmp_path / "other"
    layercraft.must("build", "--require", "plain", "--cache-dir", other)
    assert not layercraft.cache.exists()
    assert layercraft.must("cache", "info", "--cache-dir", other, "--json").document["entries"] > 0


def test_without_both_the_cache_lies_in_the_users_own_folder(layercraft: CommandLine) -> None:
    del layercraft.environment["LAYERCRAFT_CACHE_DIR"]
    told = layercraft.must("cache", "info", "--json").document
    assert told["cache"].startswith(layercraft.environment["HOME"])


def test_a_damaged_wheel_in_the_cache_is_fetched_again(layercraft: CommandLine, index: LocalIndex) -> None:
    layercraft.must("build", "--require", "plain")
    (wheel,) = layercraft.cache.glob("wheels/*/*")
    right = wheel.read_bytes()
    wheel.write_bytes(right[:-1] + b"!")
    index.forget()
    ran = layercraft.must("build", "--require", "plain")
    assert "plain-1.1-py3-none-any.whl was damaged in the cache; getting it again" in ran.err
    assert wheel.read_bytes() == right
    assert index.count("/files/plain-1.1-py3-none-any.whl") == 1
