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


def test_a_command_loads_nothing_of_the_others() -> None:
    code = (
        "import sys; from layercraft.cli.application import application; application('lock');"
        "print(*(name for name in sys.modules if name.startswith('layercraft.cli.')))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert "layercraft.cli.layers" in loaded
    assert loaded.isdisjoint({"layercraft.cli.publishing", "layercraft.cli.verification"})


def test_the_process_loads_nothing_of_httpx_that_it_has_no_use_for() -> None:
    code = (
        "import sys; from layercraft.cli import _start_sooner; _start_sooner();"
        "import httpx; httpx.Client(); print(*(name for name in sys.modules if sys.modules[name]))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert "httpcore" in loaded
    assert loaded.isdisjoint({"rich", "pygments", "trio", "h2"})
