"""The emulated engine: Debian's Python for arm64 under qemu."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest
from probed_layers import METADATA, layer_of

from layercraft.errors import UsageError
from layercraft.target import Target
from layercraft.verification.checks import Checks
from layercraft.verification.emulated import SLOWNESS, find_emulated
from layercraft.verification.engines import Absent
from layercraft.verification.local_engine import LocalEngine

if TYPE_CHECKING:
    from pathlib import Path

    from layercraft.verification.report import Outcome

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="layers run on Linux")

ARM64 = Target.parse("3.11", "arm64")
SEARCH_PATH = os.environ.get("PATH", os.defpath)
BROKEN = {
    "segfaults": ("import ctypes\nctypes.string_at(0)", "import-crashed"),
    "exits": ("import os\nos._exit(0)", "import-exited"),
    "sleeps": ("import time\ntime.sleep(600)", "import-timeout"),
    "eats": ("x = []\nwhile True: x.append(bytearray(1 << 20))", "out-of-memory"),
    "writes": ("from pathlib import Path\nPath(__file__).with_name('c').write_text('x')", "read-only"),
    "shares": ("from multiprocessing import Lock\nLock()", "no-shared-memory"),
    "leaves": ("import os, time\nif not os.fork(): time.sleep(600)\nimport missing_thing", "import-failed"),
}


@pytest.fixture(scope="module")
def engine(arm64_root: Path, tmp_path_factory: pytest.TempPathFactory) -> LocalEngine:
    """Give the engine."""
    scratch = tmp_path_factory.mktemp("scratch")
    found = find_emulated(ARM64, roots=[arm64_root], search_path=SEARCH_PATH, scratch=scratch)
    assert isinstance(found, LocalEngine)
    return found


@pytest.fixture(scope="module")
def outcome(engine: LocalEngine, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Verify a layer with all of BROKEN and a good module."""
    files = {f"{name}.py": source for name, (source, _) in BROKEN.items()}
    good = "import platform\nassert platform.machine() == 'aarch64'"
    files |= {"good.py": good, "dist-1.0.dist-info/METADATA": METADATA.format("dist", "1.0")}
    layer = layer_of(tmp_path_factory.mktemp("layer"), files, target=ARM64, distributions=(("dist", "1.0"),))
    checks = Checks(
        imports=(*BROKEN, "good"),
        script="import good",
        script_name="smoke.py",
        timeout=2 / SLOWNESS,
        memory=128 << 20,
    )
    return engine.verify(layer, checks)


@pytest.mark.network
@pytest.mark.parametrize("name", BROKEN)
def test_each_broken_module_is_found(outcome: Outcome, name: str) -> None:
    (finding,) = [each for each in outcome.findings if each.subject == name]
    assert (finding.engine, finding.kind) == ("emulated", BROKEN[name][1])


@pytest.mark.network
def test_what_is_good_passes_and_its_seconds_are_told_to_be_those_of_an_emulation(outcome: Outcome) -> None:
    assert [each.module for each in outcome.imports] == ["good"]
    assert any(line.startswith("smoke.py ran to its end") for line in outcome.checked)
    assert outcome.checked[-1] == "importlib.metadata tells the version of 1 of 1 distributions"
    assert "seconds and memory of imports" in [each.subject for each in outcome.unchecked]


@pytest.mark.network
def test_nothing_is_left(outcome: Outcome, engine: LocalEngine) -> None:
    assert outcome
    assert engine.scratch
    assert list(engine.scratch.iterdir()) == []


@pytest.mark.network
def test_the_interpreter_and_its_root_are_told(engine: LocalEngine, arm64_root: Path) -> None:
    interpreter = engine.python.interpreter
    assert (interpreter.version[:2], interpreter.machine) == ((3, 11), "aarch64")
    assert str(arm64_root.resolve()) in engine.description
    assert "qemu-aarch64" in engine.description


@pytest.mark.network
def test_a_root_without_the_targets_python_is_told(arm64_root: Path, tmp_path: Path) -> None:
    absent = find_emulated(
        Target.parse("3.13", "arm64"), roots=[tmp_path, arm64_root], search_path=SEARCH_PATH
    )
    assert isinstance(absent, Absent)
    assert absent.why == f"{tmp_path} has no python3.13; {arm64_root} has no python3.13"


def test_without_an_emulator_the_engine_is_absent(tmp_path: Path) -> None:
    absent = find_emulated(ARM64, roots=[tmp_path], search_path=str(tmp_path))
    assert isinstance(absent, Absent)
    assert absent.why == "no qemu-aarch64-static or qemu-aarch64 on PATH"
    assert absent.remedy == "install qemu-user-static"


def test_without_a_root_the_engine_is_absent(tmp_path: Path) -> None:
    (tmp_path / "qemu-aarch64").touch(mode=0o755)
    absent = find_emulated(ARM64, search_path=str(tmp_path))
    assert isinstance(absent, Absent)
    assert absent.why == "no root file system with python3.11 for aarch64"


def test_a_root_whose_python_is_something_else_is_told(tmp_path: Path) -> None:
    python = tmp_path / "root/usr/bin/python3.11"
    python.parent.mkdir(parents=True)
    python.touch()
    qemu = tmp_path / "qemu-aarch64"
    told = {"implementation": "cpython", "abi": "", "version": [3, 12, 1], "folders": [], "executable": "/x"}
    newer = json.dumps({**told, "abi": "cpython-312-aarch64-linux-gnu"})
    other = json.dumps({**told, "implementation": "pypy"})
    for answer, complaint in (
        ("exit 3", "does not run: exit code 3"),
        ("echo words", "is no Python"),
        (f"echo '{newer}'", "is Python 3.12 for aarch64"),
        (f"echo '{other}'", "is pypy, not CPython"),
    ):
        qemu.write_text(f"#!/bin/sh\n{answer}\n", encoding="utf-8")
        qemu.chmod(0o755)
        absent = find_emulated(ARM64, qemu=qemu, roots=[tmp_path / "root"])
        assert isinstance(absent, Absent)
        assert absent.why == f"{python} {complaint}"


def test_a_named_emulator_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere is no file"):
        find_emulated(ARM64, qemu=tmp_path / "nowhere")
