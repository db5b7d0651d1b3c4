from __future__ import annotations

import io
import json
import struct
import sysconfig
import time
from importlib.metadata import files
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from elf_files import AARCH64, HEADER, PROGRAM_HEADER, ElfDraft
from hypothesis import example, given
from hypothesis import strategies as st

from layercraft.formats.elf import ElfFile, VersionName, newest, read_elf

if TYPE_CHECKING:
    from collections.abc import Iterator

RICH = ElfDraft(
    needed=("libfoo.so.1", "libstdc++.so.6", "libc.so.6"),
    soname="libdemo.so.3",
    rpath="$ORIGIN/../demo.libs:/opt/lib",
    versions={
        "libc.so.6": ("GLIBC_2.2.5", "GLIBC_2.34", "GLIBC_2.14", "GLIBC_ABI_DT_RELR"),
        "libstdc++.so.6": ("GLIBCXX_3.4.29", "CXXABI_1.3.9", "GLIBCXX_3.4.9"),
    },
    modules=("demo", "_other"),
)
PACKED = RICH.packed()


def read(data: bytes) -> ElfFile:
    elf = read_elf(data)
    assert elf is not None
    return elf


def broken(data: bytes) -> str:
    reason = read(data).broken
    assert reason is not None
    return reason


def patched(offset: int, form: str, value: int) -> bytes:
    data = bytearray(PACKED)
    struct.pack_into(form, data, offset, value)
    return bytes(data)


def test_what_the_loader_asks_for_is_read() -> None:
    assert read(PACKED) == ElfFile(
        machine="x86_64",
        loadable=True,
        soname="libdemo.so.3",
        needed=("libfoo.so.1", "libstdc++.so.6", "libc.so.6"),
        rpath=("$ORIGIN/../demo.libs", "/opt/lib"),
        versions={
            "libc.so.6": ("GLIBC_2.34", "GLIBC_ABI_DT_RELR"),
            "libstdc++.so.6": ("CXXABI_1.3.9", "GLIBCXX_3.4.29"),
        },
        initializes=("demo", "_other"),
    )


def test_memory_views_are_read_like_bytes() -> None:
    assert read_elf(memoryview(PACKED)) == read_elf(bytearray(PACKED)) == read_elf(PACKED)


def test_other_files_are_none() -> None:
    assert read_elf(b"") is None
    assert read_elf(b"\x7fEL") is None
    assert read_elf(b"#!/bin/sh\n") is None
    assert read_elf(b"INPUT (libtbb.so.2)\n") is None


def test_machines_are_told_by_name() -> None:
    assert read(ElfDraft(machine=AARCH64).packed()).machine == "aarch64"
    assert read(ElfDraft(machine=3, elf_class=1).packed()).machine == "i386"
    assert read(ElfDraft(elf_class=1).packed()).machine == "x32"
    assert read(ElfDraft(machine=9999).packed()).machine == "machine 9999"


def test_a_big_endian_file_is_told_by_its_machine_alone() -> None:
    packed = bytearray(ElfDraft(byte_order=2).packed())
    packed[18:20] = (22).to_bytes(2, "big")

    assert read(bytes(packed)) == ElfFile(machine="s390x")


def test_runpath_is_told_apart_from_rpath() -> None:
    elf = read(ElfDraft(runpath="$ORIGIN").packed())

    assert (elf.rpath, elf.runpath) == ((), ("$ORIGIN",))


def test_a_weak_version_is_no_need() -> None:
    draft = ElfDraft(versions={"libc.so.6": ("GLIBC_2.17", "GLIBC_2.99")}, weak=("GLIBC_2.99",))

    assert read(draft.packed()).versions == {"libc.so.6": ("GLIBC_2.17",)}


@pytest.mark.parametrize(
    ("draft", "loadable"),
    [
        (ElfDraft(), True),
        (ElfDraft(interpreter=True), False),
        (ElfDraft(interpreter=True, soname="libc.so.6"), True),
        (ElfDraft(kind=2), False),
        (ElfDraft(kind=1), False),
    ],
)
def test_a_shared_object_is_told_from_a_program(draft: ElfDraft, *, loadable: bool) -> None:
    assert read(draft.packed()).loadable is loadable


@pytest.mark.parametrize(
    ("address", "alignment", "aligned"),
    [
        (0, 0x1000, True),
        (0x200000, 0x200000, True),
        (0x1000, 0x10000, False),
        (0x8, 0x1000, False),
        (0, 0x8, False),
        (0, 0, True),
    ],
)
def test_segments_are_aligned_when_glibc_can_map_them(address: int, alignment: int, *, aligned: bool) -> None:
    assert read(ElfDraft(address=address, alignment=alignment).packed()).aligned is aligned


def test_section_headers_are_not_asked() -> None:
    garbage = patched(40, "<Q", 1 << 63)  # e_shoff

    assert read(garbage) == read(PACKED)


def test_bytes_behind_what_is_loaded_do_not_matter() -> None:
    assert read(ElfDraft(tail=b"x" * 99).packed()) == read(ElfDraft().packed())


def test_a_file_that_ends_too_early_is_broken() -> None:
    assert "cut short" in broken(PACKED[:-1])
    assert "cut short" in broken(PACKED[:100])
    assert "cut short" in broken(PACKED[:10])
    assert "cut short" in broken(ElfDraft(loaded=1 << 40).packed())


PROGRAMS, DYNAMIC = HEADER.size, HEADER.size + PROGRAM_HEADER.size


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (patched(56, "<H", 0xFFFF), "65535 segments"),
        (patched(54, "<H", 8), "8 bytes each"),
        (patched(32, "<Q", 1 << 62), "program headers lie beyond"),
        (patched(56, "<H", 0), "nothing in it is to be loaded"),
        (patched(DYNAMIC + 8, "<Q", 1 << 62), "dynamic segment lies beyond"),
        (patched(PROGRAMS + 16, "<Q", 1 << 40), "not loaded"),
    ],
)
def test_headers_that_lie_are_told(data: bytes, why: str) -> None:
    assert why in broken(data)


def test_counts_that_a_file_invents_cost_nothing() -> None:
    """Thousands of needs that all name one long string, and tens of thousands of versions."""
    long = ElfDraft(needed=("x" * 4000,) * 8000, versions={"libc.so.6": ["GLIBC_2.2"] * 60_000}).packed()
    start = time.perf_counter()

    assert "more than 4096 version needs" in broken(long)
    assert time.perf_counter() - start < 1


def test_a_list_of_version_needs_that_bites_its_tail_ends() -> None:
    draft = ElfDraft(versions={"libc.so.6": ("GLIBC_2.17",), "libm.so.6": ("GLIBC_2.27",)})
    data = bytearray(draft.packed())
    start = HEADER.size + 2 * PROGRAM_HEADER.size
    struct.pack_into("<HHIII", data, start, 1, 0xFFFF, 1, 16, 0)  # 65,535 names, each the same one

    assert broken(bytes(data))


@given(cut=st.integers(0, len(PACKED)))
def test_no_cut_raises(cut: int) -> None:
    read_elf(PACKED[:cut])


@given(
    changes=st.lists(
        st.tuples(st.integers(4, len(PACKED) - 1), st.binary(min_size=1, max_size=8)), max_size=8
    )
)
@example(changes=[(16, b"\xff" * 8)])
def test_no_damage_raises_and_every_answer_can_be_kept(changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(PACKED)
    for offset, value in changes:
        data[offset : offset + len(value)] = value

    elf = read_elf(bytes(data))

    encoded = msgspec.json.encode(elf)
    assert msgspec.json.decode(encoded, type=ElfFile | None) == elf
    json.loads(encoded)


@given(data=st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    read_elf(b"\x7fELF" + data)


def test_versions_compare_by_their_numbers() -> None:
    assert VersionName.parse("GLIBC_2.34") == VersionName("GLIBC", (2, 34))
    assert VersionName.parse("GLIBC_2.2.5") < VersionName("GLIBC", (2, 17))  # type: ignore[operator]
    assert VersionName.parse("CXXABI_TM_1") == VersionName("CXXABI_TM", (1,))
    assert VersionName.parse("GLIBC_PRIVATE") is None
    assert newest(["GLIBC_2.9", "GLIBC_2.10", "GLIBC_PRIVATE", "GCC_3.0"]) == (
        "GCC_3.0",
        "GLIBC_2.10",
        "GLIBC_PRIVATE",
    )


def compiled_here() -> Iterator[Path]:
    """Give compiled files of this Python and of wheels that are installed beside it."""
    yield from sorted(Path(sysconfig.get_path("platstdlib"), "lib-dynload").glob("*.so"))
    for name in ("msgspec", "deflate", "mypy"):
        yield from (Path(str(file.locate())) for file in files(name) or () if file.suffix == ".so")


def test_pyelftools_reads_the_same_in_real_files() -> None:
    elffile = pytest.importorskip("elftools.elf.elffile")
    paths = [path for path in compiled_here() if path.is_file()][:80]
    for path in paths:
        data = path.read_bytes()
        other = elffile.ELFFile(io.BytesIO(data))
        tags = next(other.iter_segments("PT_DYNAMIC")).iter_tags("DT_NEEDED")
        section = other.get_section_by_name(".gnu.version_r")
        versions = {need.name: {each.name for each in names} for need, names in section.iter_versions()}
        elf = read(data)

        assert elf.needed == tuple(tag.needed for tag in tags)
        assert elf.versions == {name: newest(list(names)) for name, names in versions.items()}
        assert path.name.partition(".")[0] in elf.initializes or path.name.endswith("mypyc.so")
        assert elf.aligned
        assert elf.broken is None
    if not paths:
        pytest.skip("this Python has no ELF files of its own")
