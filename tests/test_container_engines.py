"""Which container engine is taken, and what is said when none can be."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from layercraft.errors import EngineError, UsageError
from layercraft.verification.container_engines import find_client

if TYPE_CHECKING:
    from pathlib import Path

STOPPED = (
    "echo 'Cannot connect to the Docker daemon at unix:///nowhere.sock. Is the docker daemon running?' >&2"
)
FORBIDDEN = "echo 'permission denied while trying to connect to the Docker daemon socket' >&2"


def engine(folder: Path, name: str, *, version: str, then: str = "exit 0") -> Path:
    """Put a program into a folder that says what it is, and then does as told."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n[ $1 = --version ] && echo '{version}' && exit\n{then}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def on_path(folder: Path) -> dict[str, str]:
    return {"PATH": f"{folder}:{os.defpath}"}


@pytest.fixture
def lonely(tmp_path: Path) -> dict[str, str]:
    """Give an environment whose PATH has this test's programs and a shell for them, no engine."""
    (tmp_path / "sh").symlink_to("/bin/sh")
    return {"PATH": str(tmp_path)}


def test_the_first_that_answers_is_taken(tmp_path: Path, lonely: dict[str, str]) -> None:
    engine(tmp_path, "docker", version="Docker version 28.2.2, build e6534b4", then=f"{STOPPED}; exit 1")
    engine(tmp_path, "podman", version="podman version 4.3.1")
    engine(tmp_path, "nerdctl", version="nerdctl version 2.1.2")
    client = find_client(None, lonely)
    assert (client.name, client.dialect.name, client.version) == ("podman", "podman", "4.3.1")


def test_no_engine_is_one_line_with_a_way_out(lonely: dict[str, str]) -> None:
    with pytest.raises(
        EngineError, match=r"^no container engine is on PATH: docker, podman, finch, nerdctl$"
    ) as told:
        find_client(None, lonely)
    assert told.value.hint == "install docker, podman, finch or nerdctl, or take another --engine"


def test_a_stopped_daemon_is_named_with_its_words_and_the_way_to_start_it(
    tmp_path: Path, lonely: dict[str, str]
) -> None:
    engine(tmp_path, "docker", version="Docker version 20.10.24, build 1", then=f"{STOPPED}; exit 1")
    with pytest.raises(
        EngineError, match=r"^docker does not answer: Cannot connect to the Docker daemon"
    ) as told:
        find_client(None, lonely)
    assert "systemctl start docker" in str(told.value.hint)


def test_each_engine_that_does_not_answer_tells_why(tmp_path: Path, lonely: dict[str, str]) -> None:
    engine(tmp_path, "docker", version="Docker version 20.10.24", then=f"{STOPPED}; exit 1")
    engine(tmp_path, "finch", version="finch version v1.8.2", then="echo 'instance is stopped' >&2; exit 1")
    with pytest.raises(EngineError, match=r"^docker does not .*; finch does not answer: instance is"):
        find_client(None, lonely)


def test_a_socket_that_is_not_ours_gets_another_hint(tmp_path: Path, lonely: dict[str, str]) -> None:
    engine(tmp_path, "docker", version="Docker version 20.10.24", then=f"{FORBIDDEN}; exit 1")
    with pytest.raises(EngineError) as told:
        find_client("docker", lonely)
    assert (
        told.value.hint
        == "this user may not speak to docker: join its group, or take podman, which needs none"
    )


def test_the_dialect_follows_from_what_a_command_calls_itself(tmp_path: Path) -> None:
    engine(tmp_path, "docker", version="podman version 5.4.0")
    assert find_client("docker", on_path(tmp_path)).dialect.name == "podman"


def test_a_command_may_have_several_words(tmp_path: Path) -> None:
    program = engine(tmp_path, "nerdctl", version="nerdctl version 1.7.6")
    client = find_client(f"env A=1 '{program}'", on_path(tmp_path))
    assert client.command == ("env", "A=1", str(program))
    assert (client.dialect.name, client.version) == ("nerdctl", "1.7.6")


def test_a_program_of_the_same_name_is_no_engine(tmp_path: Path) -> None:
    engine(tmp_path, "finch", version="Finch 2.14.12 (libpurple 2.14.12)")
    with pytest.raises(
        EngineError, match=r"^finch is no container engine .* it calls itself Finch 2\.14\.12 "
    ):
        find_client("finch", on_path(tmp_path))


def test_what_was_asked_for_must_be_there(lonely: dict[str, str]) -> None:
    with pytest.raises(EngineError, match=r"^dokcer: no such command$"):
        find_client("dokcer", lonely)
    with pytest.raises(UsageError, match=r"^'docker \"' is no command: no closing quotation$"):
        find_client('docker "', lonely)
    with pytest.raises(UsageError, match=r"command is empty"):
        find_client(" ", lonely)
