from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from elf_files import AARCH64, ElfDraft
from layer_zips import EXTENSION, TARGET, LayerDraft, distribution
from wheelhouse import RawMember, RawZip, WheelDraft, sha256

from layercraft.events import SILENT
from layercraft.host.cache import Cache
from layercraft.target import Target
from layercraft.verification.compiled_files import read_compiled
from layercraft.verification.layer import read_layer
from layercraft.verification.static import static
from layercraft.verification.zip_contents import open_zip
from layercraft.wheels.binaries import remembered
from layercraft.wheels.inspection import inspect
from layercraft.wheels.integrity import IN_PIECES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from layercraft.verification.report import Finding, Unchecked

MODULE = f"python/demo/fast{EXTENSION}"
FAST = ElfDraft(modules=("fast",))
USER = b"from demo import fast\n"


def module(**fields: object) -> bytes:
    return ElfDraft(modules=("fast",), **fields).packed()  # type: ignore[arg-type]


def findings(folder: Path, files: Mapping[str, bytes], target: Target = TARGET) -> tuple[Finding, ...]:
    return LayerDraft(files=files, target=target).outcome(folder).findings


def only(folder: Path, files: Mapping[str, bytes], target: Target = TARGET) -> Finding:
    (finding,) = findings(folder, files, target)
    return finding


def unchecked(folder: Path, files: Mapping[str, bytes]) -> Unchecked:
    outcome = LayerDraft(files={**distribution("named", "1", {}), **files}).outcome(folder)
    assert not outcome.findings
    (each,) = outcome.unchecked
    return each


def test_a_module_that_needs_only_what_lambda_has_is_fine(tmp_path: Path) -> None:
    files = {MODULE: module(needed=("libm.so.6", "libstdc++.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2"))}

    assert findings(tmp_path, files) == ()


def test_a_file_for_another_machine_is_found(tmp_path: Path) -> None:
    finding = only(tmp_path, {MODULE: module(machine=AARCH64)})

    assert (finding.kind, finding.subject) == ("wrong-machine", MODULE)
    assert finding.cause == "it is for aarch64, and the layer is for x86_64"


def test_a_distribution_for_any_machine_may_hold_files_for_others(tmp_path: Path) -> None:
    files = distribution("demo", "1", {"demo/attach_arm.so": ElfDraft(machine=AARCH64).packed()})

    assert "a distribution for any machine" in unchecked(tmp_path, files).why


def test_a_module_for_two_machines_is_fine(tmp_path: Path) -> None:
    other = "python/demo/fast.cpython-312-aarch64-linux-gnu.so"

    assert findings(tmp_path, {MODULE: FAST.packed(), other: module(machine=AARCH64)}) == ()


@pytest.mark.parametrize(
    ("library", "version", "kind", "has"),
    [
        ("libc.so.6", "GLIBC_2.35", "glibc-too-new", "glibc 2.34"),
        ("libm.so.6", "GLIBC_2.38", "glibc-too-new", "glibc 2.34"),
        ("libc.so.6", "GLIBC_ABI_DT_RELR", "glibc-too-new", "glibc 2.34"),
        ("libstdc++.so.6", "GLIBCXX_3.4.32", "libstdcxx-too-new", "GLIBCXX 3.4.29"),
        ("libstdc++.so.6", "CXXABI_1.3.14", "libstdcxx-too-new", "CXXABI 1.3.13"),
        ("libgcc_s.so.1", "GCC_14.0.0", "libgcc-too-new", "GCC 11.0"),
    ],
)
def test_versions_that_the_runtime_lacks_are_found(
    tmp_path: Path, library: str, version: str, kind: str, has: str
) -> None:
    finding = only(tmp_path, {MODULE: module(needed=(library,), versions={library: (version,)})})

    assert finding.kind == kind
    assert finding.cause == f"it needs {version} of {library}, and python3.12 has {has}"
    assert finding.remedy == "take an older release: no runtime of Lambda has it"


def test_the_runtime_that_has_a_version_is_named(tmp_path: Path) -> None:
    target = Target.parse("3.11")
    path = "python/demo/fast.abi3.so"

    finding = only(tmp_path, {path: module(versions={"libc.so.6": ("GLIBC_2.34",)})}, target)

    assert "build for python3.12" in (finding.remedy or "")


@pytest.mark.parametrize("version", ["GLIBC_2.34", "GLIBC_PRIVATE", "GLIBC_2.2.5"])
def test_versions_that_the_runtime_has_are_fine(tmp_path: Path, version: str) -> None:
    assert findings(tmp_path, {MODULE: module(versions={"libc.so.6": (version,)})}) == ()


NEWER = {"libstdc++.so.6": ("GLIBCXX_3.4.33",)}
BUNDLED = {"python/demo.libs/libstdc++.so.6": ElfDraft().packed()}


def test_versions_of_a_library_that_the_layer_brings_are_not_compared(tmp_path: Path) -> None:
    file = module(needed=("libstdc++.so.6",), versions=NEWER, rpath="$ORIGIN/../demo.libs")

    assert findings(tmp_path, {MODULE: file, **BUNDLED}) == ()


def test_the_runtimes_library_wins_over_a_runpath(tmp_path: Path) -> None:
    """LD_LIBRARY_PATH names the system's folders, and DT_RUNPATH is asked after it."""
    file = module(needed=("libstdc++.so.6",), versions=NEWER, runpath="$ORIGIN/../demo.libs")

    assert only(tmp_path, {MODULE: file, **BUNDLED}).kind == "libstdcxx-too-new"


FOO = ElfDraft(soname="libfoo.so.1").packed()


@pytest.mark.parametrize(
    ("place", "paths"),
    [
        ("python/demo.libs/libfoo.so.1", {"rpath": "$ORIGIN/../demo.libs"}),
        ("python/demo.libs/libfoo.so.1", {"runpath": "/nowhere:${ORIGIN}/../demo.libs"}),
        ("python/demo/libfoo.so.1", {"runpath": "/opt/python/demo/"}),
        ("lib/libfoo.so.1", {}),
    ],
)
def test_a_library_is_found_where_the_loader_looks(tmp_path: Path, place: str, paths: dict[str, str]) -> None:
    assert findings(tmp_path, {MODULE: module(needed=("libfoo.so.1",), **paths), place: FOO}) == ()


def test_a_library_for_another_machine_is_not_found(tmp_path: Path) -> None:
    files = {
        MODULE: module(needed=("libfoo.so.1",)),
        "lib/libfoo.so.1": ElfDraft(machine=AARCH64).packed(),
    }

    assert {each.kind for each in findings(tmp_path, files)} == {"wrong-machine", "missing-library"}


def test_a_library_is_found_through_the_rpath_of_those_that_load_it(tmp_path: Path) -> None:
    """Libraries without a path of their own, at any depth below a module that has DT_RPATH."""
    files = {
        MODULE: module(needed=("liba.so",), rpath="$ORIGIN/../demo.libs"),
        "python/demo.libs/liba.so": ElfDraft(needed=("libb.so",)).packed(),
        "python/demo.libs/libb.so": ElfDraft(needed=("libc1.so",)).packed(),
        "python/demo.libs/libc1.so": ElfDraft().packed(),
    }

    outcome = LayerDraft(files={**distribution("named", "1", {}), **files}).outcome(tmp_path)
    assert (outcome.findings, outcome.unchecked) == ((), ())


def test_a_runpath_is_not_for_what_a_library_needs_itself(tmp_path: Path) -> None:
    files = {
        MODULE: module(needed=("liba.so",), runpath="$ORIGIN/../demo.libs"),
        "python/demo.libs/liba.so": ElfDraft(needed=("libb.so",)).packed(),
        "python/demo.libs/libb.so": ElfDraft().packed(),
    }

    assert "where the loader does not look" in unchecked(tmp_path, files).why


def test_a_library_that_the_module_loads_itself_is_there_for_others(tmp_path: Path) -> None:
    files = {
        MODULE: module(needed=("liba.so", "libb.so"), runpath="$ORIGIN/../demo.libs"),
        "python/demo.libs/liba.so": ElfDraft(needed=("libb.so",)).packed(),
        "python/demo.libs/libb.so": ElfDraft().packed(),
    }

    outcome = LayerDraft(files={**distribution("named", "1", {}), **files}).outcome(tmp_path)
    assert (outcome.findings, outcome.unchecked) == ((), ())


def test_a_library_that_is_nowhere_is_found(tmp_path: Path) -> None:
    finding = only(tmp_path, {MODULE: module(needed=("libgomp.so.1",)), "python/user.py": USER})

    assert (finding.kind, finding.subject) == ("missing-library", MODULE)
    assert finding.cause == "it needs libgomp.so.1, which neither the layer nor python3.12 has"
    assert "lib/libgomp.so.1" in (finding.remedy or "")


def test_who_took_a_library_is_told(tmp_path: Path) -> None:
    draft = LayerDraft(
        files={MODULE: module(needed=("libfoo.so.1",))},
        removed={"demo.libs/": ["python/demo.libs/libfoo.so.1"]},
    )

    (finding,) = draft.outcome(tmp_path).findings
    assert finding.blame == "removed by rule demo.libs/ of layers/demo/layer.toml"


@pytest.mark.parametrize(
    "source",
    [
        b"try:\n    from demo import fast\nexcept ImportError:\n    fast = None\n",
        b"def quick():\n    import demo.fast\n",
    ],
)
def test_a_module_that_all_can_do_without_is_no_finding(tmp_path: Path, source: bytes) -> None:
    files = {MODULE: module(needed=("libtbb.so.12",)), "python/demo/__init__.py": source}

    each = unchecked(tmp_path, files)

    assert each.subject == MODULE
    assert "libtbb.so.12; neither the layer nor python3.12 has it" in each.why
    assert "python/demo/__init__.py imports this file where it can do without" in each.why


def test_one_that_cannot_do_without_makes_it_a_finding(tmp_path: Path) -> None:
    files = {
        MODULE: module(needed=("libtbb.so.12",)),
        "python/demo/__init__.py": b"try:\n    from . import fast\nexcept ImportError:\n    pass\n",
        "python/demo/other.py": b"from .fast import run\n",
    }

    assert only(tmp_path, files).kind == "missing-library"


@pytest.mark.parametrize(
    "source",
    [b"ctypes.CDLL(folder + 'libdemo' + suffix)", b"NAME = 'libdemo.so'"],
)
def test_a_library_that_a_source_loads_is_a_finding(tmp_path: Path, source: bytes) -> None:
    files = {
        "python/demo/lib/libdemo.so": ElfDraft(needed=("libgomp.so.1",)).packed(),
        "python/demo/__init__.py": source,
    }

    assert only(tmp_path, files).kind == "missing-library"


def test_a_plugin_that_nothing_names_is_no_finding(tmp_path: Path) -> None:
    files = {
        "python/demo/plugins/libdemo.so": ElfDraft(needed=("libGL.so.1", "libX11.so.6")).packed(),
        "python/demo/__init__.py": b"# libdemo is a plugin\n",
    }

    assert "needs libGL.so.1, libX11.so.6; " in unchecked(tmp_path, files).why


def test_a_library_below_a_module_is_needed_by_it(tmp_path: Path) -> None:
    files = {
        MODULE: module(needed=("libgdal.so",), rpath="$ORIGIN/../demo.libs"),
        "python/demo.libs/libgdal.so": ElfDraft(needed=("libexpat.so.1",)).packed(),
    }

    finding = only(tmp_path, files)
    assert (finding.kind, finding.subject) == ("missing-library", "python/demo.libs/libgdal.so")


@pytest.mark.parametrize(
    "fields", [{"needed": ("libatomic.so.1",)}, {"versions": {"libc.so.6": ("GLIBC_2.40",)}}]
)
def test_programs_are_run_by_no_import(tmp_path: Path, fields: dict[str, object]) -> None:
    program = ElfDraft(interpreter=True, tail=bytes(9000), **fields).packed()  # type: ignore[arg-type]

    assert "a program, which no import runs" in unchecked(tmp_path, {"python/demo/node": program}).why


def test_the_runtimes_own_libpython_is_not_judged(tmp_path: Path) -> None:
    files = {MODULE: module(needed=("libpython3.12.so.1.0",))}

    assert "it is not known whether python3.12 has it" in unchecked(tmp_path, files).why


def test_the_libpython_of_another_version_is_missing(tmp_path: Path) -> None:
    assert only(tmp_path, {MODULE: module(needed=("libpython3.11.so.1.0",))}).kind == "missing-library"


def test_a_segment_that_cannot_be_mapped_is_found(tmp_path: Path) -> None:
    finding = only(tmp_path, {MODULE: module(address=0x1008)})

    assert finding.kind == "misaligned-segment"
    assert "ELF load command address/offset not page-aligned" in finding.cause


@pytest.mark.parametrize(
    ("data", "why"),
    [(FAST.packed()[:-1], "cut short"), (b"", "no ELF file"), (b"\xcf\xfa\xed\xfe", "no ELF")],
)
def test_a_module_that_cannot_be_loaded_is_found(tmp_path: Path, data: bytes, why: str) -> None:
    finding = only(tmp_path, {MODULE: data})

    assert finding.kind == "broken-file"
    assert why in finding.cause


def test_a_linker_script_is_no_module(tmp_path: Path) -> None:
    assert findings(tmp_path, {"python/demo/libtbb.so": b"INPUT (libtbb.so.2)\n"}) == ()


def test_a_member_that_cannot_be_inflated_is_found(tmp_path: Path) -> None:
    path = tmp_path / "demo.zip"
    liar = RawMember(name=MODULE.encode(), data=FAST.packed(), packed=b"\xff" * 500)
    path.write_bytes(RawZip(members=[liar]).packed())

    (finding,) = static(read_layer(path, TARGET), None, SILENT).findings
    assert (finding.kind, finding.subject) == ("broken-file", MODULE)


@pytest.mark.parametrize(
    "suffix",
    [
        ".cpython-311-x86_64-linux-gnu.so",
        ".cpython-312-x86_64-linux-musl.so",
        ".cpython-312t-x86_64-linux-gnu.so",
        ".cpython-312-darwin.so",
        ".pypy310-pp73-x86_64-linux-gnu.so",
        ".cp312-win_amd64.pyd",
    ],
)
def test_a_module_that_this_python_does_not_see_is_found(tmp_path: Path, suffix: str) -> None:
    finding = only(tmp_path, {f"python/demo/fast{suffix}": FAST.packed()})

    assert finding.kind == "foreign-abi"
    assert EXTENSION in finding.cause


@pytest.mark.parametrize("twin", [EXTENSION, ".abi3.so", ".so", ".py"])
def test_a_module_for_several_pythons_is_fine(tmp_path: Path, twin: str) -> None:
    other = "python/demo/fast.cpython-311-x86_64-linux-gnu.so"

    assert findings(tmp_path, {other: FAST.packed(), f"python/demo/fast{twin}": FAST.packed()}) == ()


def test_findings_that_are_alike_are_told_once_for_each_distribution(tmp_path: Path) -> None:
    names = [f"python/{package}/m{number}{EXTENSION}" for package in "ab" for number in range(6)]

    found = findings(tmp_path, dict.fromkeys(names, module(machine=AARCH64)))

    assert [each.subject for each in found] == [names[0], names[6]]
    assert found[0].cause.endswith(
        f"the same goes for m1{EXTENSION}, m2{EXTENSION}, m3{EXTENSION} and 2 more"
    )


LARGE = ElfDraft(needed=("libfoo.so.1",), tail=bytes(IN_PIECES)).packed()


def test_what_a_checked_wheel_has_is_not_read_again(tmp_path: Path) -> None:
    """The large file is over the size that the check takes through memory in pieces."""
    draft = WheelDraft(
        name="demo",
        files={f"demo/fast{EXTENSION}": FAST.packed(), "demo/large.so": LARGE, "demo/script.so": b"INPUT()"},
        tag="cp312-cp312-manylinux_2_17_x86_64",
    )
    wheel = draft.write(tmp_path)
    digest = sha256(wheel.read_bytes())
    cache = Cache(tmp_path / "cache")
    inspect(wheel, draft.filename, digest, cache)
    files = {f"python/{path}": data for path, data in (draft.files or {}).items()}
    changed = {**files, MODULE: module(needed=("libz.so.1",))}
    layer = LayerDraft(files=files, pins=[("demo", "1.0", digest)])

    with open_zip(layer.write(tmp_path)) as contents:
        known = read_compiled(contents, read_layer(contents.path), cache)
        unknown = read_compiled(contents, read_layer(contents.path), None)
    with open_zip(LayerDraft(files=changed, pins=layer.pins).write(tmp_path)) as contents:
        partly = read_compiled(contents, read_layer(contents.path), cache)

    assert (known.read, partly.read, unknown.read) == (0, 1, 3)
    assert (known.files, known.others) == (unknown.files, unknown.others)
    assert partly.files[MODULE].needed == ("libz.so.1",)


def test_what_another_version_remembered_is_read_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.write("elf", "ab" * 32, b'{"format":1,"binaries":"?"}')
    cache.write("elf", "cd" * 32, b'{"format":999,"binaries":[]}')

    assert remembered(["ab" * 32, "cd" * 32, "ef" * 32], cache) == {}
