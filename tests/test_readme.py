"""The commands of the README, run one after the other in an empty folder."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
from readme_commands import needs_containers, run, shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from engine_fixtures import Engines
    from local_aws import LocalAws

VERDICT = r"\S+\.zip: .*, engine \w+"
PUBLISHED = r"[a-z]+(-[a-z]+)+-\d  (published|unchanged|would be published)  .*"
HEADING = r"[A-Z][a-z ]+(\(.*\))?"


@pytest.mark.network
def test_every_command_of_the_readme_does_what_is_shown(tmp_path: Path, aws: LocalAws) -> None:
    aws.bucket("my-layers")
    commands = [(command, output) for command, output in shown() if not needs_containers(command)]
    assert len(commands) > 5
    for command, output in commands:
        check(command, output, tmp_path, os.environ | aws.environment)


@pytest.mark.engines
@pytest.mark.network
def test_those_that_run_containers_do_too(tmp_path: Path, engines: Engines, aws: LocalAws) -> None:
    aws.bucket("my-layers")
    environment = os.environ | engines("docker", "3.12").environment | aws.environment
    assert any(needs_containers(command) for command, _ in shown())
    for command, output in shown():
        check(command, output, tmp_path, environment)


def check(command: str, output: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Run a command, which must do what the README shows."""
    ran = run(command, folder, environment)
    assert ran.returncode == expected_code(command, "\n" + output), (command, ran.stderr)
    assert steady(ran.stdout) == steady(output), command


def expected_code(command: str, output: str) -> int:
    """Give the exit code that the output shown belongs to."""
    if "\nerror: " in output or ": fails on " in output:
        return 1
    return 3 if "verify" in command and "; no import was run" in output else 0


def steady(output: str) -> list[str]:
    """Give headings, verdicts and what was published; versions and sizes move, these do not."""
    return [line for line in output.splitlines() if re.fullmatch(f"{HEADING}|{VERDICT}|{PUBLISHED}", line)]
