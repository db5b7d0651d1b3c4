from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from probed_layers import HERE, PYTHON, pythons

from layercraft.errors import UsageError
from layercraft.host.interpreters import described, find_interpreters, read_interpreter

pytestmark = pytest.mark.skipif(os.name == "nt", reason="native runs are for Linux")

VERSION = HERE.runtime.version
NAME = HERE.runtime.name
ANSWER = {
    "executable": "/usr/bin/python3.13",
    "implementation": "cpython",
    "version": [3, 13, 1],
    "abi": "cpython-313-x86_64-linux-gnu",
    "folders": ["/usr"],
}


def program(path: Path, text: str) -> Path:
    """Write a shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def link(path: Path) -> Path:
    """Put the Python of these tests at a path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(PYTHON)
    return path


def test_pythons_are_found_on_path_in_pyenv_and_in_uvs_folder_and_told_once(tmp_path: Path) -> None:
    link(tmp_path / "bin" / NAME)
    link(tmp_path / "pyenv" / "versions" / f"{NAME[6:]}.99" / "bin" / NAME)
    link(tmp_path / "uv" / f"cpython-{NAME[6:]}.99-linux-{HERE.machine}-gnu" / "bin" / NAME)
    for source, where in (
        ("PATH", {"search_path": str(tmp_path / "bin")}),
        ("pyenv", {"search_path": "", "pyenv_root": tmp_path / "pyenv"}),
        ("uv", {"search_path": "", "uv_root": tmp_path / "uv"}),
    ):
        (found,) = find_interpreters(VERSION, HERE.machine, **where)
        assert (found.source, found.executable, found.version) == (source, PYTHON, sys.version_info[:3])
        assert Path(os.__file__).parent in found.folders
    together = find_interpreters(
        VERSION,
        HERE.machine,
        search_path=str(tmp_path / "bin"),
        pyenv_root=tmp_path / "pyenv",
        uv_root=tmp_path / "uv",
    )
    assert [each.source for each in together] == ["PATH"]


def test_the_newest_patch_release_comes_first(tmp_path: Path) -> None:
    for patch in (2, 10, 9):
        answer = json.dumps({**ANSWER, "executable": f"/python{patch}", "version": [3, 13, patch]})
        program(tmp_path / "versions" / f"3.13.{patch}" / "bin" / "python3.13", f"echo '{answer}'")
    found = find_interpreters((3, 13), "x86_64", search_path="", pyenv_root=tmp_path)
    assert [each.full_version for each in found] == ["3.13.10", "3.13.9", "3.13.2"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("exit 3", "does not run: exit code 3"),
        ("echo 'pyenv: python3.13: command not found' >&2; exit 127", "does not run: pyenv: python3.13"),
        ("echo hello", "is no Python"),
        ("echo '[]'", "is no Python"),
        ("true", "is no Python: it said nothing"),
        ("echo '{}'", "is no Python"),
        ("kill -9 $$", "does not run: exit code -9"),
    ],
)
def test_what_is_no_python_is_passed_over_and_told_when_it_was_named(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = program(tmp_path / "python3.13", text)
    assert find_interpreters((3, 13), "x86_64", search_path=str(tmp_path)) == ()
    with pytest.raises(UsageError, match=reason):
        read_interpreter(path, (3, 13), "x86_64")


def test_a_missing_or_wrong_python_that_was_named_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere is not a file"):
        read_interpreter(tmp_path / "nowhere", VERSION, HERE.machine)
    with pytest.raises(UsageError, match=r"is Python 3\.\d+\.\d+ for \w+, and the layer needs Python 2\.7"):
        read_interpreter(PYTHON, (2, 7), HERE.machine)
    with pytest.raises(UsageError, match=r"and the layer needs Python .* for s390x"):
        read_interpreter(PYTHON, VERSION, "s390x")


def test_a_python_that_was_named_in_the_working_folder_is_not_sought_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    link(tmp_path / "mine")
    assert read_interpreter(Path("./mine"), VERSION, HERE.machine).executable == PYTHON
    program(tmp_path / "shim", f'exec {tmp_path}/mine "$@"')
    assert read_interpreter(Path("shim"), VERSION, HERE.machine).executable == PYTHON


def test_the_python_that_was_named_is_read() -> None:
    found = read_interpreter(PYTHON, VERSION, HERE.machine)
    assert (found.executable, found.machine, found.source) == (PYTHON, HERE.machine, "--python")
    assert str(found) == f"Python {found.full_version} ({PYTHON}, from --python)"


def test_a_python_that_lacks_its_library_starts_with_the_folder_beside_it(tmp_path: Path) -> None:
    answer = json.dumps(ANSWER)
    path = program(
        tmp_path / "bin" / "python3.13", f'test "$LD_LIBRARY_PATH" = "{tmp_path}/lib" && echo \'{answer}\''
    )
    assert read_interpreter(path, (3, 13), "x86_64").libraries == str(tmp_path / "lib")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"implementation": "pypy"}, "is pypy, not CPython"),
        ({"abi": "cpython-313t-x86_64-linux-gnu"}, "has another ABI than Lambda's"),
        ({"abi": "cpython-313d-x86_64-linux-gnu"}, "has another ABI than Lambda's"),
        ({"abi": "cpython-313-x86_64-linux-musl"}, "is not built for Linux with glibc"),
        ({"abi": "cpython-313-darwin"}, "is not built for Linux with glibc"),
        ({"abi": ""}, "no ABI told"),
    ],
)
def test_only_cpython_for_glibc_with_lambdas_abi_fits(change: dict[str, str], reason: str) -> None:
    told = described(json.dumps({**ANSWER, **change}))
    assert reason in told["unfit"]
    assert bool(told["unfit"]) == bool(reason)


def test_the_machine_is_that_of_the_interpreter_not_that_of_the_kernel() -> None:
    told = described(json.dumps({**ANSWER, "abi": "cpython-38-aarch64-linux-gnu"}))
    assert told["machine"] == "aarch64"


@pytest.mark.parametrize("minor", range(8, 15))
def test_every_python_of_this_machine_tells_what_it_is(minor: int) -> None:
    if minor not in pythons():
        pytest.skip(f"this machine has no Python 3.{minor}")
    assert pythons()[minor].version[:2] == (3, minor)
    assert pythons()[minor].machine == HERE.machine
