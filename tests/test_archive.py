from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import textwrap
import tracemalloc
import zipfile
import zlib
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trees import TARGET, inline, inline_tree, noise, tree_of, wheel_of
from wheelhouse import WheelDraft, sha256

from layercraft.errors import BadWheelError, LayerTooLargeError, OutputError
from layercraft.events import Progress, SilentReporter
from layercraft.formats.zip_records import read_members
from layercraft.layer.archive import write_zip
from layercraft.layer.dist_info import rewrite_records
from layercraft.layer.tree import DiskFile, Entry, Tree, WheelMember

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

# Names that a tool may stumble over: any letters of Unicode, blanks, leading dots and dashes, emoji.
_PART = st.one_of(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\:"), min_size=1, max_size=40
    ),
    st.sampled_from([" ", " a", "-", "--help", ".hidden", "...", "🐍", "ä" * 60, "x" * 200, "CON", "*?[]"]),
).filter(lambda part: part not in (".", ".."))
_NAME = st.lists(_PART, min_size=1, max_size=4).map("/".join)
_DATA = st.one_of(
    st.binary(max_size=64),
    st.integers(0, 70_000).map(lambda size: noise(size, size)),
    st.integers(0, 70_000).map(lambda size: b"spam" * (size // 4)),
    st.sampled_from([b"x" * 1024, b"x" * 1025]),
)
_MODE = st.sampled_from([0o100644, 0o100755, 0o100600, 0o100664, 0o100777, 0])


@st.composite
def drafts(draw: st.DrawFn) -> WheelDraft:
    files = draw(st.dictionaries(_NAME, _DATA, min_size=1, max_size=6))
    folders = {"/".join(name.split("/")[:depth]) for name in files for depth in range(1, name.count("/") + 1)}
    files = {name: data for name, data in files.items() if name not in folders}
    modes = {name: draw(_MODE) for name in files}
    stored = draw(st.sets(st.sampled_from(sorted(files)))) if files else ()
    return WheelDraft(name="hostile", files=files, modes=modes, stored=stored)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(draft=drafts())
def test_other_readers_agree_on_names_crcs_sizes_and_modes(
    draft: WheelDraft, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    tree = rewrite_records(tree_of(folder, draft)).tree
    archive = write_zip(tree, folder / "layer.zip")
    with zipfile.ZipFile(archive.path) as reader:
        assert reader.testzip() is None
        infos = reader.infolist()
        for name, data in draft.contents().items():
            if not name.endswith("/RECORD"):
                assert reader.read(f"python/{name}") == data
    assert [(info.filename, info.CRC, info.file_size) for info in infos] == [
        (entry.path, entry.crc, entry.size) for entry in tree.entries.values()
    ]
    assert [(info.filename, info.file_size, info.compress_size) for info in infos] == [
        (member.path, member.size, member.packed) for member in archive.members
    ]
    for info, entry in zip(infos, tree.entries.values(), strict=True):
        assert info.external_attr >> 16 == stat.S_IFREG | (0o755 if entry.executable else 0o644)
        assert (info.create_system, info.date_time, info.extra) == (3, (1980, 1, 1, 0, 0, 0), b"")
    _compare_with_unzip(archive.path, tree)


def _compare_with_unzip(path: Path, tree: Tree) -> None:
    if not shutil.which("unzip"):
        return
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    assert subprocess.run(["unzip", "-tqq", path], env=environment, check=False).returncode == 0
    listing = subprocess.run(["unzip", "-Z1", path], env=environment, capture_output=True, check=True)
    # Info-ZIP escapes what it takes for unprintable, so names are compared where they surely are not.
    if all(name.isascii() and name.isprintable() for name in tree.entries):
        assert listing.stdout.decode().splitlines() == list(tree.entries)


def test_our_own_reader_takes_the_zip_and_bytes_are_hashed_right(tmp_path: Path) -> None:
    archive = write_zip(tree_of(tmp_path, WheelDraft(name="a")), tmp_path / "layer.zip")
    with archive.path.open("rb") as file:
        members = read_members(partial(_read_at, file), archive.size, archive="layer.zip")
    assert [member.name for member in members] == [member.path for member in archive.members]
    assert archive.size == archive.path.stat().st_size
    assert archive.sha256 == sha256(archive.path.read_bytes())


def test_deflated_bytes_are_copied_as_the_wheel_has_them(tmp_path: Path) -> None:
    wheel = wheel_of(tmp_path, WheelDraft(name="a", files={"m.py": b"spam and eggs " * 500}))
    member = next(member for member in wheel.members if member.name == "m.py")
    packed = wheel.path.read_bytes()[member.data_offset :][: member.packed_size]
    archive = write_zip(Tree.of([wheel], TARGET), tmp_path / "layer.zip")
    assert packed in archive.path.read_bytes()


@pytest.mark.parametrize(
    ("data", "method"),
    [
        (b"x" * 1024, zipfile.ZIP_STORED),
        (b"x" * 1025, zipfile.ZIP_DEFLATED),
        (noise(5000), zipfile.ZIP_STORED),
        (b"", zipfile.ZIP_STORED),
    ],
)
def test_stored_members_are_deflated_when_they_are_large_and_shrink(
    tmp_path: Path, data: bytes, method: int
) -> None:
    draft = WheelDraft(name="a", files={"m.bin": data}, stored=["m.bin"])
    archive = write_zip(tree_of(tmp_path, draft), tmp_path / "layer.zip")
    with zipfile.ZipFile(archive.path) as reader:
        assert reader.getinfo("python/m.bin").compress_type == method
        assert reader.read("python/m.bin") == data


def test_bytes_made_here_and_files_of_the_disk_are_deflated(tmp_path: Path) -> None:
    data = b"spam " * 1_000_000
    (tmp_path / "disk").write_bytes(data)
    disk = DiskFile(path=tmp_path / "disk", size=len(data), crc=zlib.crc32(data))
    entries = {
        "python/disk": Entry(path="python/disk", content=disk, executable=False, owner=""),
        "python/inline": inline("python/inline", data, executable=True),
    }
    archive = write_zip(Tree(entries=entries), tmp_path / "layer.zip")
    assert archive.size < len(data) / 50
    with zipfile.ZipFile(archive.path) as reader:
        assert reader.read("python/disk") == reader.read("python/inline") == data


def test_many_entries_to_deflate_keep_their_order(tmp_path: Path) -> None:
    files = {f"python/{n:03}": noise(n * 50, n) * 2 for n in range(100)}
    archive = write_zip(inline_tree(files), tmp_path / "layer.zip")
    with zipfile.ZipFile(archive.path) as reader:
        assert {info.filename: reader.read(info) for info in reader.infolist()} == files


def test_the_same_wheels_give_the_same_bytes_wherever_and_however_they_are_built(tmp_path: Path) -> None:
    drafts = [
        WheelDraft(
            name=name, files={f"{name}/ü.py": b"x = 1\n" * 300, "LICENSE": name.encode()}, stored=stored
        )
        for name, stored in (("b", ()), ("a", ("a/ü.py",)), ("c", ("LICENSE",)))
    ]
    digests = set()
    for number, (zone, umask, seed) in enumerate([("UTC", 0o022, "0"), ("Asia/Tokyo", 0o077, "1")]):
        folder = tmp_path / f"place {number}"
        folder.mkdir()
        for draft in drafts if number else reversed(drafts):
            draft.write(folder)
        environment = {**os.environ, "TZ": zone, "PYTHONHASHSEED": seed, "LC_ALL": "C"}
        environment["PYTHONPATH"] = os.pathsep.join(sys.path)
        result = subprocess.run(
            [sys.executable, "-c", _BUILD, folder, oct(umask), str(number)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(result.stdout)
    assert len(digests) == 1


_BUILD = textwrap.dedent("""
    import os, sys
    from pathlib import Path
    from trees import TARGET
    from layercraft.host.cache import Cache
    from layercraft.layer.archive import write_zip
    from layercraft.layer.dist_info import rewrite_records
    from layercraft.layer.tree import Tree
    from layercraft.wheels.inspection import inspect

    folder = Path(sys.argv[1])
    os.umask(int(sys.argv[2], 8))
    paths = sorted(folder.glob("*.whl"), reverse=sys.argv[3] == "1")
    cache = Cache(folder / "cache")
    wheels = [inspect(path, path.name, "0" * 64, cache, check=False) for path in paths]
    print(write_zip(rewrite_records(Tree.of(wheels, TARGET)).tree, folder / "layer.zip").sha256)
""")


class Interrupting(SilentReporter):
    """Interrupts as a user would, in the middle of the work."""

    def progress(self, label: str, total: int | None, unit: str) -> AbstractContextManager[Progress]:
        """Give a progress that interrupts."""
        del label, total, unit
        return _InterruptingProgress()


class _InterruptingProgress:
    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def advance(self, amount: int) -> None:
        raise KeyboardInterrupt(amount)


def test_an_interrupted_zip_leaves_the_old_one_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "outputs" / "layer.zip"
    path.parent.mkdir()
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        write_zip(inline_tree({"python/a": b"a"}), path, reporter=Interrupting())
    assert [(item.name, item.read_bytes()) for item in path.parent.iterdir()] == [("layer.zip", b"old")]


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no file grow beyond 4 KiB: only while it is needed, for it holds for the test run's own log too."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_zip_that_cannot_be_written_to_its_end_is_told_and_removed(tmp_path: Path) -> None:
    tree = inline_tree({"python/a": noise(50_000)})
    cause = r"layer\.zip cannot be written: file too large"
    with full_disk(), pytest.raises(OutputError, match=cause):
        write_zip(tree, tmp_path / "layer.zip")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="file is a file, not a folder"):
        write_zip(inline_tree({"python/a": b""}), tmp_path / "file" / "layer.zip")


def test_missing_folders_are_made_and_the_zip_has_ordinary_rights(tmp_path: Path) -> None:
    archive = write_zip(inline_tree({"python/a": b""}), tmp_path / "new" / "deep" / "layer.zip")
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    assert archive.path.stat().st_mode == ordinary.stat().st_mode


@pytest.mark.parametrize("stored", [(), ("m.bin",)])
def test_a_wheel_that_changed_since_it_was_read_is_refused_by_name(
    tmp_path: Path, stored: tuple[str, ...]
) -> None:
    draft = WheelDraft(name="a", files={"m.bin": noise(5000)}, stored=stored)
    wheel = wheel_of(tmp_path, draft)
    wheel.path.write_bytes(wheel.path.read_bytes()[:1000])
    with pytest.raises(BadWheelError, match=r"a-1\.0-py3-none-any\.whl: m\.bin|was cut short"):
        write_zip(Tree.of([wheel], TARGET), tmp_path / "layer.zip")
    assert not (tmp_path / "layer.zip").exists()


def test_a_vanished_wheel_and_a_changed_file_are_told(tmp_path: Path) -> None:
    wheel = wheel_of(tmp_path, WheelDraft(name="a"))
    wheel.path.unlink()
    with pytest.raises(BadWheelError, match="cannot be read: no such file"):
        write_zip(Tree.of([wheel], TARGET), tmp_path / "layer.zip")
    for size in (3, 3 << 20):
        (tmp_path / "disk").write_bytes(b"new")
        disk = DiskFile(path=tmp_path / "disk", size=size, crc=0)
        entry = Entry(path="python/disk", content=disk, executable=False, owner="")
        with pytest.raises(OutputError, match="disk was changed while the layer was made"):
            write_zip(Tree(entries={entry.path: entry}), tmp_path / "layer.zip")


def test_more_than_a_zip_can_hold_is_refused() -> None:
    empty = inline("python/a", b"")
    many = Tree(entries={f"python/{number}": empty for number in range(65_535)})
    with pytest.raises(LayerTooLargeError, match="65,535 files"):
        write_zip(many, Path("never.zip"))
    huge = DiskFile(path=Path("never"), size=5 << 30, crc=0)
    with pytest.raises(LayerTooLargeError, match="4 GiB"):
        write_zip(
            Tree(entries={"a": Entry(path="a", content=huge, executable=False, owner="")}), Path("never.zip")
        )


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def test_a_large_member_is_copied_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "large-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=0) as writer:
        for name, data in WheelDraft(name="large", files={"large.bin": noise(24 << 20)}).contents().items():
            writer.writestr(name, data)
    with path.open("rb") as file:
        members = read_members(partial(_read_at, file), path.stat().st_size, archive=path.name)
    large = next(member for member in members if member.name == "large.bin")
    entry = Entry(
        path="python/large.bin",
        content=WheelMember(wheel=path, member=large),
        executable=False,
        owner="large",
    )
    tracemalloc.start()
    write_zip(Tree(entries={entry.path: entry}), tmp_path / "layer.zip")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
