from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layercraft.errors import OutputError
from layercraft.host.cache import KINDS, Cache

if TYPE_CHECKING:
    from pathlib import Path

KEY = "0123456789abcdef" * 4
DAY = 86_400


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def keep_wheel(cache: Cache, data: bytes) -> Path:
    with cache.temporary() as temporary:
        temporary.write_bytes(data)
        return cache.adopt(temporary, hashlib.sha256(data).hexdigest())


def files(cache: Cache) -> set[str]:
    return {path.relative_to(cache.root).as_posix() for path in cache.root.rglob("*") if path.is_file()}


def age(path: Path, days: float) -> None:
    used = time.time() - days * DAY
    os.utime(path, (used, used))


def test_nothing_is_created_before_the_first_write(cache: Cache) -> None:
    assert cache.wheel(KEY) is None
    assert cache.read("metadata", KEY) is None
    assert cache.info().count == cache.prune(older_than_days=0).count == cache.clear().count == 0
    assert not cache.root.exists()


def test_a_wheel_is_found_by_its_sha256(cache: Cache) -> None:
    path = keep_wheel(cache, b"wheel")
    sha256 = hashlib.sha256(b"wheel").hexdigest()
    assert cache.wheel(sha256) == path == cache.wheel_path(sha256)
    assert path.read_bytes() == b"wheel"
    assert files(cache) == {f"wheels/{sha256[:2]}/{sha256}.whl"}


def test_an_empty_wheel_counts_as_absent(cache: Cache) -> None:
    keep_wheel(cache, b"")
    assert cache.wheel(hashlib.sha256(b"").hexdigest()) is None


@pytest.mark.parametrize("key", ["", "abc", KEY.upper(), KEY + "0", f"../{KEY[3:]}", f"{KEY}\n"])
def test_a_key_that_is_no_sha256_is_refused(cache: Cache, key: str) -> None:
    with pytest.raises(ValueError, match="no cache entry"):
        cache.wheel(key)
    with pytest.raises(ValueError, match="no cache entry"):
        cache.write("metadata", key, b"")


@pytest.mark.parametrize("kind", ["", "..", "temporary", "other"])
def test_an_unknown_kind_is_refused(cache: Cache, kind: str) -> None:
    with pytest.raises(ValueError, match="no cache entry"):
        cache.read(kind, KEY)


@given(data=st.binary(), head=st.binary())
def test_an_entry_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, head: bytes
) -> None:
    cache = Cache(tmp_path_factory.getbasetemp() / "property")
    cache.write("metadata", KEY, data, head=head)
    assert cache.read("metadata", KEY) == data
    assert cache.read_with_head("metadata", KEY) == (head, data)
    assert cache.read("checked", KEY) is None


@given(data=st.binary(), head=st.binary(), change=st.data())
def test_a_damaged_entry_counts_as_absent(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, head: bytes, change: st.DataObject
) -> None:
    cache = Cache(tmp_path_factory.getbasetemp() / "property")
    cache.write("answers", KEY, data, head=head)
    path = cache.root / "answers" / KEY[:2] / KEY
    written = path.read_bytes()
    position = change.draw(st.integers(0, len(written) - 1))
    changed = written[position] ^ change.draw(st.integers(1, 255))
    path.write_bytes(written[:position] + bytes([changed]) + written[position + 1 :])
    assert cache.read_with_head("answers", KEY) in {None, (head, data)}
    path.write_bytes(written[:position])
    assert cache.read_with_head("answers", KEY) is None
    path.write_bytes(bytes(len(written)))
    assert cache.read_with_head("answers", KEY) is None


def test_what_is_not_adopted_is_removed(cache: Cache) -> None:
    def fail() -> None:
        with cache.temporary() as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert files(cache) == set()


def test_use_is_noted_once_a_day(cache: Cache) -> None:
    path = keep_wheel(cache, b"wheel")
    sha256 = hashlib.sha256(b"wheel").hexdigest()
    for days, noted in ((0.5, False), (2, True)):
        age(path, days)
        before = path.stat().st_mtime
        cache.wheel(sha256)
        assert (path.stat().st_mtime > before) is noted


def test_info_counts_by_kind(cache: Cache) -> None:
    keep_wheel(cache, bytes(1000))
    keep_wheel(cache, bytes(2000))
    cache.write("metadata", KEY, b"x")
    info = cache.info()
    assert [kind.kind for kind in info.kinds] == list(KINDS)
    assert [kind.count for kind in info.kinds] == [2, 1, 0, 0, 0, 0, 0]
    assert info.kinds[0].size == 3000
    assert info.count == 3
    assert info.size == 3000 + info.kinds[1].size


def test_prune_removes_what_was_not_used(cache: Cache) -> None:
    old, new = keep_wheel(cache, b"old"), keep_wheel(cache, b"new")
    cache.write("metadata", KEY, b"old")
    age(old, 31)
    age(cache.root / "metadata" / KEY[:2] / KEY, 31)
    gone = cache.prune(older_than_days=30)
    assert [kind.count for kind in gone.kinds] == [1, 1, 0, 0, 0, 0, 0]
    assert files(cache) == {new.relative_to(cache.root).as_posix()}
    assert not (cache.root / "metadata").exists()


def test_clear_leaves_what_is_not_the_caches(cache: Cache) -> None:
    keep_wheel(cache, b"wheel")
    cache.write("answers", KEY, b"page")
    foreign = ["notes.txt", "wheels/six-1.0-py3-none-any.whl", f"metadata/00/{KEY}", f"answers/{KEY[:2]}/x"]
    for name in foreign:
        path = cache.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")
    assert cache.clear().count == 2
    assert files(cache) == set(foreign)


def test_clear_leaves_nothing_of_its_own(cache: Cache) -> None:
    keep_wheel(cache, b"wheel")
    cache.write("checked", KEY, b"")
    cache.clear()
    assert list(cache.root.iterdir()) == []


@pytest.mark.parametrize("sweep", [Cache.clear, lambda cache: cache.prune(older_than_days=30)])
def test_temporary_files_of_killed_processes_go_after_a_day(cache: Cache, sweep: object) -> None:
    folder = cache.root / "temporary"
    folder.mkdir(parents=True)
    for name, days in (("a" * 32, 2), ("b" * 32, 0.5), ("foreign", 2)):
        (folder / name).write_bytes(b"half")
        age(folder / name, days)
    assert callable(sweep)
    sweep(cache)
    assert files(cache) == {f"temporary/{'b' * 32}", "temporary/foreign"}


def test_a_cache_that_is_a_file_is_an_output_error(tmp_path: Path) -> None:
    root = tmp_path / "cache"
    root.write_text("")
    with pytest.raises(OutputError, match=rf"^cannot write to the cache {root}: ") as caught:
        Cache(root).write("metadata", KEY, b"")
    assert "--cache-dir" in str(caught.value.hint)
    assert Cache(root).read("metadata", KEY) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_an_output_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="permission denied"):
        Cache(tmp_path).write("metadata", KEY, b"")


def test_a_full_disk_is_an_output_error(cache: Cache) -> None:
    with pytest.raises(OutputError, match="the disk is full"), cache.writing():
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_write_that_fails_half_way_leaves_nothing(cache: Cache) -> None:
    cache.write("metadata", KEY, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OutputError, match="file too large"):
            cache.write("metadata", KEY, bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert cache.read("metadata", KEY) == b"old"
    assert files(cache) == {f"metadata/{KEY[:2]}/{KEY}"}


def _write_much(root: Path, number: int) -> None:
    cache = Cache(root)
    for round_ in range(40):
        data = bytes([number]) * (1000 + round_)
        cache.write("answers", KEY, data)
        read = cache.read("answers", KEY)
        assert read is None or len(set(read)) == 1
        keep_wheel(cache, b"the same")
        if round_ % 10 == 0:
            cache.prune(older_than_days=0)


def test_many_processes_share_one_cache(cache: Cache) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_write_much, args=(cache.root, number)) for number in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 8
    assert not [name for name in files(cache) if name.startswith("temporary")]
    _write_much(cache.root, 99)


def test_a_killed_process_leaves_no_half_written_entry(cache: Cache) -> None:
    code = (
        "import sys, pathlib\nfrom layercraft.host.cache import Cache\n"
        "cache = Cache(pathlib.Path(sys.argv[1]))\n"
        f"while True: cache.write('answers', '{KEY}', b'x' * 3_000_000); print(flush=True)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for pause in (0.0, 0.001, 0.002):
        command = [sys.executable, "-c", code, str(cache.root)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(pause)
            process.kill()
        assert cache.read("answers", KEY) == b"x" * 3_000_000
