from __future__ import annotations

import shutil
import struct
import subprocess
import sysconfig
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from elf_files import ElfDraft
from elf_sections import AARCH64, SectionedElf, memory, section_names
from hypothesis import example, given, settings
from hypothesis import strategies as st

from layercraft.formats.elf import read_elf
from layercraft.formats.elf_comparison import loads_the_same
from layercraft.formats.elf_records import HEADER, SECTION, SEGMENT, Header, Section, Segment
from layercraft.formats.elf_strip import stripped

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = SectionedElf()
PACKED = PLAIN.packed()
SOURCE = """
int counter;
__thread int own;
int add(int x) { counter += x; return counter + own; }
int main(void) { return add(0); }
"""

needs_gcc = pytest.mark.skipif(not shutil.which("gcc"), reason="no C compiler here")


def strip(data: bytes) -> bytearray:
    result = stripped(data)
    assert result is not None
    return result


def compiled(folder: Path, *options: str) -> bytes:
    """Compile a small shared object, or a program, with gcc."""
    source, result = folder / "a.c", folder / "a.so"
    source.write_text(SOURCE, encoding="utf-8")
    subprocess.run(["gcc", "-fPIC", "-O1", *options, "-o", result, source], check=True, capture_output=True)
    return result.read_bytes()


def complaints(folder: Path, data: bytes | bytearray) -> str:
    """Give what readelf has to say about a file."""
    path = folder / "stripped.so"
    path.write_bytes(data)
    ran = subprocess.run(["readelf", "-lSW", path], check=True, capture_output=True, encoding="utf-8")
    return ran.stderr + "".join(line for line in ran.stdout.splitlines() if "arning" in line)


def test_symbols_and_comments_go_and_what_is_loaded_stays() -> None:
    result = strip(PACKED)

    assert section_names(result) == [".text", ".shstrtab", ".data", ".bss"]
    assert memory(result) == memory(PACKED)
    assert len(PACKED) - len(result) > 13_000


def test_a_segment_behind_the_symbols_moves_by_whole_pages() -> None:
    before, after = (
        Segment(*SEGMENT.unpack_from(data, HEADER.size + SEGMENT.size)) for data in (PACKED, strip(PACKED))
    )

    assert (before.offset, after.offset) == (0x3000, 0x1000)
    assert after.is_aligned
    assert after._replace(offset=0) == before._replace(offset=0)


def test_pages_of_64_kib_stay_whole() -> None:
    draft = SectionedElf(machine=AARCH64, alignment=0x10000, between={".symtab": bytes(24) * 9000})
    result = strip(draft.packed())

    assert memory(result) == memory(draft.packed())
    assert Segment(*SEGMENT.unpack_from(result, HEADER.size + SEGMENT.size)).offset == 0x10000


def test_sections_keep_their_indexes() -> None:
    header = Header(*HEADER.unpack_from(strip(PACKED)))
    kinds = [Section(*SECTION.unpack_from(strip(PACKED), header.sections_at + i * 64)).kind for i in range(5)]

    assert kinds == [0, 1, 3, 1, 8]  # nothing, .text, the names in place of .symtab, .data, .bss


def test_sections_that_nobody_knows_are_kept() -> None:
    draft = SectionedElf(
        behind={".symtab": bytes(2400), ".qtmetadata": b"plugin " * 9, ".debug_info": bytes(99)}
    )
    result = strip(draft.packed())

    assert section_names(result) == [".text", ".shstrtab", ".data", ".bss", ".qtmetadata"]
    assert b"plugin " * 9 in result


def test_stripping_twice_changes_nothing_more() -> None:
    assert stripped(bytes(strip(PACKED))) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x7fELF",
        b"#!/bin/sh\n",
        ElfDraft().packed(),  # no sections
        SectionedElf(tail=b"archive of a program that reads itself").packed(),
        SectionedElf(gap=b"no header tells of this").packed(),
        SectionedElf(gap=b"\1").packed(),
        SectionedElf(machine=243).packed(),
        SectionedElf(header={"kind": 1}).packed(),
        SectionedElf(header={"segment_count": 0}).packed(),
        SectionedElf(header={"segment_count": 0xFFFF}).packed(),
        SectionedElf(header={"section_count": 0}).packed(),
        SectionedElf(header={"section_count": 0xFFFF}).packed(),
        SectionedElf(header={"names_index": 0xFFFF}).packed(),
        SectionedElf(header={"sections_at": 1 << 63}).packed(),
        SectionedElf(header={"segments_at": (1 << 64) - 1}).packed(),
        SectionedElf(header={"segments_at": 0}).packed(),
        SectionedElf(alignment=0x800).packed(),
        PACKED[:-1],
        PACKED[:3000],
        PACKED[: HEADER.size],
    ],
)
def test_what_is_not_understood_to_its_last_byte_is_left_as_it_was(data: bytes) -> None:
    assert stripped(data) is None


def changed(
    record: struct.Struct, place: int, fields: type[Segment | Section], values: dict[str, int]
) -> bytes:
    """Give the plain file with other values in one of its records."""
    data = bytearray(PACKED)
    record.pack_into(data, place, *fields(*record.unpack_from(data, place))._replace(**values))
    return bytes(data)


@pytest.mark.parametrize(
    "values",
    [
        {"offset": 0x3010},
        {"offset": 1 << 62},
        {"file_size": 1 << 62},
        {"memory_size": 1},
        {"alignment": 0},
        {"alignment": 0x3000},
        {"address": 0x100},
        {"address": 0, "offset": 0},
    ],
)
def test_segments_that_cannot_be_mapped_leave_the_file_as_it_was(values: dict[str, int]) -> None:
    assert stripped(changed(SEGMENT, HEADER.size + SEGMENT.size, Segment, values)) is None


@pytest.mark.parametrize(
    ("index", "values"),
    [
        (1, {"link": 2}),  # .text needs .symtab
        (1, {"link": 99}),
        (1, {"size": 9000}),
        (2, {"offset": 0x2FF0, "size": 0x20}),
        (2, {"flags": 2}),
        (3, {"alignment": 1 << 63}),
        (3, {"name": 1 << 31}),
        (5, {"offset": 1 << 40}),
    ],
)
def test_sections_that_contradict_the_segments_leave_the_file_as_it_was(
    index: int, values: dict[str, int]
) -> None:
    table = Header(*HEADER.unpack_from(PACKED)).sections_at

    assert stripped(changed(SECTION, table + index * SECTION.size, Section, values)) is None


def test_thousands_of_sections_with_the_same_bytes_cost_nothing() -> None:
    draft = SectionedElf(behind={".other": bytes(1 << 20), **{f".o{i}": b"" for i in range(4000)}})
    data = bytearray(draft.packed())
    header = Header(*HEADER.unpack_from(data))
    tables = [header.sections_at + i * SECTION.size for i in range(5, header.section_count - 1)]
    other = Section(*SECTION.unpack_from(data, tables[0]))
    for table in tables[1:]:
        SECTION.pack_into(data, table, *other)
    tracemalloc.start()

    assert stripped(bytes(data)) is None
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()


def test_old_section_headers_that_patchelf_left_behind_go() -> None:
    old = bytes(64) + SECTION.pack(1, 1, 6, 0x40, 0x40, 600, 0, 0, 16, 0)

    assert len(strip(SectionedElf(gap=old).packed())) == len(strip(PACKED))


@given(cut=st.integers(0, len(PACKED)))
def test_no_cut_is_stripped(cut: int) -> None:
    assert stripped(PACKED[:cut]) is None or cut == len(PACKED)


HEADERS = st.integers(0, HEADER.size + 2 * SEGMENT.size - 1)
TABLE = st.integers(Header(*HEADER.unpack_from(PACKED)).sections_at, len(PACKED) - 1)
ANYWHERE = st.integers(0, len(PACKED) - 1)
NUMBERS = st.one_of(
    st.binary(min_size=1, max_size=8),
    st.sampled_from([0, 1, 8, 63, 64, 0x1000, 0x2000, 0x3000, 1 << 31, 1 << 63, 2**64 - 1]).map(
        lambda number: struct.pack("<Q", number)
    ),
)


@given(changes=st.lists(st.tuples(st.one_of(HEADERS, TABLE, ANYWHERE), NUMBERS), min_size=1, max_size=6))
@example(changes=[(40, b"\xff" * 8)])
@example(changes=[(32, struct.pack("<Q", 0x38))])
def test_no_damage_raises_or_changes_what_is_loaded(changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(PACKED)
    for offset, value in changes:
        data[offset : offset + len(value)] = value[: len(data) - offset]

    result = stripped(bytes(data))

    if result is not None:
        assert len(result) < len(data)
        assert memory(result) == memory(data)
        assert read_elf(result) == read_elf(bytes(data))


def test_the_judge_sees_every_change_of_what_is_loaded() -> None:
    good = strip(PACKED)
    assert loads_the_same(PACKED, good)
    end = 0x1000 + len(PLAIN.data)
    for place in (18, 24, 50, HEADER.size + 4, HEADER.size + 16, 300, end - 1):
        bad = bytearray(good)
        bad[place] ^= 1
        assert not loads_the_same(PACKED, bad), place
    offset = bytearray(good)
    struct.pack_into("<Q", offset, HEADER.size + SEGMENT.size + 8, 0x1008)
    assert not loads_the_same(PACKED, offset)


@needs_gcc
@pytest.mark.parametrize(
    "options",
    [
        ("-shared", "-g"),
        ("-shared", "-g", "-gz"),
        ("-shared", "-g", "-gdwarf-5", "-gsplit-dwarf"),
        ("-shared", "-g", "-Wl,-z,noseparate-code"),
        ("-shared", "-Wl,-z,max-page-size=0x10000"),
        ("-shared", "-Wl,--emit-relocs", "-Wl,--build-id"),
        ("-shared", "-g", "-flto", "-ffat-lto-objects"),
        ("-pie", "-g"),
        ("-no-pie", "-g"),
    ],
    ids=" ".join,
)
def test_what_gcc_makes_is_smaller_and_loads_the_same(tmp_path: Path, options: tuple[str, ...]) -> None:
    data = compiled(tmp_path, *options)
    result = strip(data)

    assert memory(result) == memory(data)
    assert complaints(tmp_path, result) == ""
    assert not any(name.startswith((".debug", ".symtab", ".comment")) for name in section_names(result))
    subprocess.run(["strip", "-o", "gnu.so", "a.so"], cwd=tmp_path, check=True)
    assert len(result) <= (tmp_path / "gnu.so").stat().st_size + 500


@needs_gcc
def test_stripped_libraries_and_programs_run(tmp_path: Path) -> None:
    library = tmp_path / "lib.so"
    library.write_bytes(strip(compiled(tmp_path, "-shared", "-g")))
    program = tmp_path / "program"
    program.write_bytes(strip(compiled(tmp_path, "-g")))
    program.chmod(0o755)
    call = f"import ctypes; assert ctypes.CDLL({str(library)!r}).add(7) == 7"

    subprocess.run([sysconfig.get_config_var("BINDIR") + "/python3", "-c", call], check=True)
    subprocess.run([program], check=True)


@needs_gcc
def test_a_library_whose_debug_information_lies_elsewhere_gets_smaller_too(tmp_path: Path) -> None:
    compiled(tmp_path, "-shared", "-g")
    for arguments in (
        ("--only-keep-debug", "a.so", "a.debug"),
        ("--strip-debug", "a.so"),
        ("--add-gnu-debuglink=a.debug", "a.so"),
    ):
        subprocess.run(["objcopy", *arguments], cwd=tmp_path, check=True)
    data = (tmp_path / "a.so").read_bytes()

    assert memory(strip(data)) == memory(data)
    assert ".gnu_debuglink" not in section_names(strip(data))
    assert stripped((tmp_path / "a.debug").read_bytes()) is None


@needs_gcc
@settings(deadline=None)
@given(seed=st.data())
def test_damaged_libraries_of_gcc_are_left_alone_or_load_the_same(
    tmp_path_factory: pytest.TempPathFactory, seed: st.DataObject
) -> None:
    data = bytearray(_library(tmp_path_factory))
    table = Header(*HEADER.unpack_from(data)).sections_at
    places = st.one_of(st.integers(4, 700), st.integers(table, len(data) - 1), st.integers(4, len(data) - 1))
    for offset, value in seed.draw(st.lists(st.tuples(places, NUMBERS), min_size=1, max_size=5)):
        data[offset : offset + len(value)] = value[: len(data) - offset]

    result = stripped(bytes(data))

    assert result is None or memory(result) == memory(data)


_made: list[bytes] = []


def _library(folders: pytest.TempPathFactory) -> bytes:
    if not _made:
        _made.append(compiled(folders.mktemp("library"), "-shared", "-g"))
    return _made[0]
