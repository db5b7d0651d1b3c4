"""The commands, and what is loaded for one of them."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from layercraft.cli.application import COMMANDS, application

if TYPE_CHECKING:
    import typer
    from command_line import CommandLine


def names(app: typer.Typer) -> list[str | None]:
    return [*(each.name for each in app.registered_commands), *(each.name for each in app.registered_groups)]


@pytest.mark.parametrize("named", ["", "--help", "nothing"])
def test_all_commands_are_there_where_none_is_named(named: str) -> None:
    assert names(application(named)) == list(COMMANDS)


@pytest.mark.parametrize("named", COMMANDS)
def test_a_command_that_is_named_is_the_only_one(named: str) -> None:
    assert names(application(named)) == [named]


@pytest.mark.parametrize("named", COMMANDS)
def test_every_command_has_a_help_of_its_own(layercraft: CommandLine, named: str) -> None:
    assert f"Usage: layercraft {named} " in layercraft.must(named, "--help").out


def loaded(code: str) -> set[str]:
    """Give the modules that are there when a Python of its own has run this code."""
    told = f"{code}; import sys; print(*(name for name, module in sys.modules.items() if module))"
    ran = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


def test_a_command_loads_nothing_of_the_others() -> None:
    found = loaded("from layercraft.cli.application import application; application('lock')")
    assert "layercraft.cli.layers" in found
    assert found.isdisjoint({"layercraft.cli.publishing", "layercraft.cli.verification"})


def test_the_process_loads_nothing_of_httpx_that_it_has_no_use_for() -> None:
    found = loaded("from layercraft.cli import _start_sooner; _start_sooner(); import httpx; httpx.Client()")
    assert "httpcore" in found
    assert found.isdisjoint({"rich", "pygments", "trio", "h2"})
