from __future__ import annotations

import base64
import hashlib
import re
import zipfile
import zlib
from importlib.metadata import Distribution
from typing import TYPE_CHECKING

import pytest
from command_line import CommandLine
from elf_sections import SectionedElf, memory
from local_index import LocalIndex
from trees import inline_tree, wheel_of
from wheelhouse import WheelDraft

from layercraft.formats.elf_strip import stripped
from layercraft.host.cache import Cache
from layercraft.layer.archive import write_zip
from layercraft.layer.contents import Contents
from layercraft.layer.record import read_build_record
from layercraft.layer.strip import strip_binaries
from layercraft.layer.tree import DiskFile, Entry, StrippedMember, Tree
from layercraft.layer.unpacked import write_files
from layercraft.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from layercraft.layer.change import Change

LIBRARY = SectionedElf().packed()
SMALLER = bytes(stripped(LIBRARY) or b"")
LARGE = SectionedElf(text=bytes(3 << 20)).packed()
DRAFT = WheelDraft(
    name="fast",
    files={
        "fast/__init__.py": b"",
        "fast/libfast.so.1": LIBRARY,
        "fast/liblarge.so": LARGE,
        "fast/libsmall.so": SMALLER,
        "fast/script.so": b"INPUT(libfast.so.1)\n",
        "fast/broken.so": LIBRARY[:5000],
        "fast/table.bin": LIBRARY,
    },
)
SOUND = WheelDraft(
    name="fast",
    files={"fast/__init__.py": b"", "fast/libfast.so.1": LIBRARY, "fast/liblarge.so": LARGE},
)
STRIPPED = ["python/fast/libfast.so.1", "python/fast/liblarge.so"]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def strip_wheel(folder: Path, cache: Cache) -> Change:
    wheel = wheel_of(folder, DRAFT)
    return strip_binaries(Tree.of([wheel], Target.parse("3.13", "x86_64")), cache, {wheel.path: wheel.sha256})


def plain(entry: Entry) -> bytes:
    with Contents() as contents:
        return bytes(contents.plain(entry.content))


def test_compiled_files_get_smaller_and_all_others_stay_as_they_are(tmp_path: Path, cache: Cache) -> None:
    change = strip_wheel(tmp_path, cache)

    assert [after.path for _, after in change.replaced] == STRIPPED
    assert change.removed == change.added == ()
    assert str(change.reason) == "layercraft: debug symbols stripped"
    assert change.saved == len(LIBRARY) - len(SMALLER) + len(LARGE) - len(stripped(LARGE) or b"")
    assert plain(change.tree.entries[STRIPPED[0]]) == SMALLER


def test_what_was_worked_out_once_is_taken_from_the_cache(tmp_path: Path, cache: Cache) -> None:
    first = strip_wheel(tmp_path, cache)
    made = {path: path.stat().st_mtime_ns for path in (cache.root / "stripped").rglob("?" * 64)}
    second = strip_wheel(tmp_path, cache)

    assert second == first
    assert {path: path.stat().st_mtime_ns for path in (cache.root / "stripped").rglob("?" * 64)} == made
    assert len(made) == 5  # all that is called like a compiled file


def test_a_damaged_entry_of_the_cache_is_made_anew(tmp_path: Path, cache: Cache) -> None:
    first = strip_wheel(tmp_path, cache)
    for path in (cache.root / "stripped").rglob("?" * 64):
        path.write_bytes(path.read_bytes()[:-1] + b"!")

    assert strip_wheel(tmp_path, cache) == first


def test_the_zip_holds_the_stripped_bytes_as_they_lie_in_the_cache(tmp_path: Path, cache: Cache) -> None:
    tree = strip_wheel(tmp_path, cache).tree
    write_zip(tree, tmp_path / "layer.zip")
    (tmp_path / "unpacked").mkdir()
    write_files(tree, tmp_path / "unpacked")

    with zipfile.ZipFile(tmp_path / "layer.zip") as layer:
        assert layer.testzip() is None
        assert layer.read(STRIPPED[0]) == (tmp_path / "unpacked" / STRIPPED[0]).read_bytes() == SMALLER
        content = tree.entries[STRIPPED[1]].content
        assert isinstance(content, StrippedMember)
        assert layer.getinfo(STRIPPED[1]).compress_size == content.member.packed_size
        assert content.sha256 == hashlib.sha256(layer.read(STRIPPED[1])).digest()


def test_files_that_no_wheel_has_are_stripped_too(tmp_path: Path, cache: Cache) -> None:
    path = tmp_path / "made.so"
    path.write_bytes(LIBRARY)
    content = DiskFile(path=path, size=len(LIBRARY), crc=zlib.crc32(LIBRARY))
    made = Entry(path="python/made.so", content=content, executable=True, owner="x")
    tree = inline_tree({"lib/libinline.so": LIBRARY})
    change = strip_binaries(tree.with_entries({**tree.entries, made.path: made}), cache, {})

    assert {after.path: plain(after) for _, after in change.replaced} == {
        "lib/libinline.so": SMALLER,
        "python/made.so": SMALLER,
    }
    after = change.tree.entries["python/made.so"]
    assert (after.executable, after.owner) == (True, "x")


@pytest.mark.parametrize(
    "files",
    [("lib/fips.so",), ("lib/libgcrypt.so.20", "lib/.libgcrypt.so.20.hmac"), ("lib/a.so", "lib/a.so.hmac")],
)
def test_files_that_test_their_own_bytes_stay_as_they_are(files: tuple[str, ...], cache: Cache) -> None:
    tree = inline_tree(dict.fromkeys(files, LIBRARY))

    assert strip_binaries(tree, cache, {}).replaced == ()


@pytest.fixture
def command(tmp_path: Path) -> Iterator[CommandLine]:
    with LocalIndex(wheels=[(SOUND.filename, SOUND.packed())]) as index:
        yield CommandLine(tmp_path, {"LAYERCRAFT_INDEX_URL": index.url})


def built(command: CommandLine, *options: str) -> dict[str, bytes]:
    command.must("build", *options)
    (archive,) = command.outputs.glob("*.zip")
    with zipfile.ZipFile(archive) as layer:
        return {name: layer.read(name) for name in layer.namelist()}


def test_a_recipe_or_an_option_asks_for_it(command: CommandLine) -> None:
    command.write(
        {"layers/fast/requirements.txt": "fast\n", "layers/fast/layer.toml": "[cleanup]\nstrip = true\n"}
    )
    library = "python/fast/libfast.so.1"

    assert built(command, "fast")[library] == SMALLER
    assert built(command, "fast", "--no-strip")[library] == LIBRARY
    assert built(command, "fast", "--preset", "none")[library] == LIBRARY
    assert built(command, "fast", "--preset", "none", "--strip")[library] == SMALLER
    (command.folder / "layers" / "fast" / "layer.toml").unlink()
    assert built(command, "fast")[library] == LIBRARY
    assert built(command, "fast", "--strip")[library] == SMALLER


def test_the_report_the_record_and_record_files_tell_of_it(command: CommandLine, tmp_path: Path) -> None:
    ran = command.must("build", "--require", "fast", "--strip", "--unpacked", str(tmp_path / "laid"))
    assert re.search(r"^  layercraft: debug symbols stripped +2 files +-0\.\d\d MB", ran.out, re.MULTILINE), (
        ran.out
    )

    info = Distribution.at(tmp_path / "laid" / "python" / "fast-1.0.dist-info")
    listed = {str(file): file for file in info.files or ()}
    file = listed["fast/libfast.so.1"]
    assert file.size == len(SMALLER)
    assert file.hash is not None
    digest = base64.urlsafe_b64encode(hashlib.sha256(SMALLER).digest()).rstrip(b"=")
    assert file.hash.value == digest.decode()


def test_the_same_bytes_come_from_an_empty_cache_and_a_full_one(command: CommandLine, tmp_path: Path) -> None:
    first = built(command, "--require", "fast", "--strip")
    archive = next(command.outputs.glob("*.zip")).read_bytes()
    again = built(command, "--require", "fast", "--strip")
    other = built(command, "--require", "fast", "--strip", "--cache-dir", str(tmp_path / "other"))

    assert first == again == other
    assert next(command.outputs.glob("*.zip")).read_bytes() == archive
    assert memory(first["python/fast/liblarge.so"]) == memory(LARGE)


def test_the_verification_remembers_what_stripped_files_ask_for(command: CommandLine) -> None:
    built(command, "--require", "fast", "--strip")
    elf = command.cache / "elf"
    known = command("verify", "outputs/fast_3_13_x86_64.zip", "--engine", "static", "--json")
    assert len([path for path in elf.rglob("?" * 64) if path.is_file()]) == 2
    fresh = command(
        "verify", "outputs/fast_3_13_x86_64.zip", "--engine", "static", "--json", "--cache-dir", "nothing"
    )
    assert known.document == fresh.document
    assert known.code == fresh.code


def test_compressing_at_best_gives_fewer_bytes_of_the_same_files(command: CommandLine) -> None:
    fast = built(command, "--require", "fast")
    size = next(command.outputs.glob("*.zip")).stat().st_size
    best = built(command, "--require", "fast", "--compress", "best")

    assert best == fast
    smaller = next(command.outputs.glob("*.zip")).stat().st_size
    assert smaller < size
    *_, last = read_build_record(command.outputs / "fast_3_13_x86_64.json").changes
    assert (last.source, last.rule, last.saved) == ("layercraft", "deflated anew", 0)
    assert last.saved_zipped == size - smaller


def test_an_unknown_way_to_compress_is_refused(command: CommandLine) -> None:
    ran = command("build", "--require", "fast", "--compress", "most")

    assert ran.code == 2
    assert ran.lines == ["error: --compress most: no such choice", "hint: take fast, best"]


def test_a_plan_tells_the_most_that_stripping_can_save(command: CommandLine) -> None:
    command.write(
        {"layers/fast/requirements.txt": "fast\n", "layers/fast/layer.toml": "[cleanup]\nstrip = true\n"}
    )
    ran = command("plan", "fast", "--json")

    assert ran.code == 0, ran.err
    assert "debug symbols stripped" in ran.out
