"""The commands of the README, run one after the other in an empty folder."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"^```console\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
SHOWN = [part for block in BLOCKS for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]


def expected_code(output: str) -> int:
    """Give the exit code that the output shown belongs to."""
    return 1 if "\nerror: " in output or ": fails on " in output else 0


@pytest.mark.network
def test_every_command_of_the_readme_does_what_is_shown(tmp_path: Path) -> None:
    assert len(SHOWN) > 5
    for part in SHOWN:
        command, _, output = part.partition("\n")
        ran = subprocess.run(  # noqa: S602 (as a person types it)
            command.replace("layercraft", f"{sys.executable} -m layercraft", 1),
            shell=True,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == expected_code("\n" + output), (command, ran.stderr)
        assert headings(ran.stdout) == headings(output), command


def headings(output: str) -> list[str]:
    """Give the lines that name the parts of an output; versions and sizes move, these do not."""
    return [line for line in output.splitlines() if re.fullmatch(r"[A-Z][a-z ]+(\(.*\))?", line)]
