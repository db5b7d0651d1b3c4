"""Where an engine is missing, the tests that need it are skipped with the reason, and fail in CI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

NEEDS_DOCKER = "test_container.py::test_all_modules_are_imported_with_deep"
NEEDS_QEMU = "test_emulated.py::test_the_interpreter_and_its_root_are_told"


def outcome_without_engines(test: str, empty: Path, **environment: str) -> str:
    """Run a test where nothing is on PATH, and give pytest's summary."""
    kept = {name: text for name, text in os.environ.items() if name not in {"CI", "PYTEST_ADDOPTS"}}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "engines or network", test],
        cwd=Path(__file__).parent,
        env=kept | {"PATH": str(empty)} | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    return ran.stdout


@pytest.mark.parametrize("test", [NEEDS_DOCKER, NEEDS_QEMU])
def test_a_missing_engine_skips_its_tests_with_the_reason(test: str, tmp_path: Path) -> None:
    told = outcome_without_engines(test, tmp_path)
    assert "1 skipped" in told
    assert "not installed" in told or "needs root" in told


@pytest.mark.parametrize("test", [NEEDS_DOCKER, NEEDS_QEMU])
def test_a_missing_engine_fails_its_tests_in_ci(test: str, tmp_path: Path) -> None:
    told = outcome_without_engines(test, tmp_path, CI="true")
    assert "1 error" in told or "1 failed" in told
    assert "skipped" not in told
