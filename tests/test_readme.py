"""The commands of the README, run one after the other in an empty folder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from readme_commands import run, shown

if TYPE_CHECKING:
    from pathlib import Path


def expected_code(output: str) -> int:
    """Give the exit code that the output shown belongs to."""
    return 1 if "\nerror: " in output or ": fails on " in output else 0


@pytest.mark.network
def test_every_command_of_the_readme_does_what_is_shown(tmp_path: Path) -> None:
    commands = shown()
    assert len(commands) > 5
    for command, output in commands:
        ran = run(command, tmp_path)
        assert ran.returncode == expected_code("\n" + output), (command, ran.stderr)
        assert headings(ran.stdout) == headings(output), command


def headings(output: str) -> list[str]:
    """Give the lines that name the parts of an output; versions and sizes move, these do not."""
    return [line for line in output.splitlines() if re.fullmatch(r"[A-Z][a-z ]+(\(.*\))?", line)]
