"""Container engines: which one answers, and what each wants said differently."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from layercraft.errors import EngineError, UsageError, reason_of
from layercraft.host.processes import Ended, run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LABEL = "layercraft"
"""The label that every container of ours carries."""

_PATIENCE = 60.0  # seconds for a command that only asks or removes; a virtual machine may sleep
_VERSION = re.compile(
    r"^(?P<name>docker|podman|finch|nerdctl) version (?P<version>\S+)", re.IGNORECASE | re.MULTILINE
)
_INSTALL = "install docker, podman, finch or nerdctl, or take another --engine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What one engine wants said differently.

    `name` is the command. `options` go with every new container: no shared memory, no further
    writable folder, no log on the disk, no SELinux label that would hide our mounts, no waiting when
    it is removed. `takes_stdin` tells whether a container that is started can read our stdin.
    `prepares` tells that a container must be prepared before it is started: else a start that is
    killed half-way leaves a process behind. `litters` tells that a container's monitor writes into the
    folder where it was begun: conmon does, a file `oom`, when memory runs out. `remedy` starts what
    has stopped.
    """

    name: str
    options: tuple[str, ...]
    takes_stdin: bool
    remedy: str
    prepares: bool = False
    litters: bool = False


# Neither nerdctl nor finch, which is a nerdctl, knows `--ipc none`: a folder that takes no file stands
# for the missing one. Docker's and podman's logs are switched off because they have no limit.
_NO_SHARED_MEMORY = "--tmpfs=/dev/shm:ro,mode=0,size=4k"
DIALECTS = (
    Dialect(
        name="docker",
        options=("--ipc=none", "--log-driver=none", "--security-opt=label=disable"),
        takes_stdin=True,
        remedy="start Docker Desktop, or `systemctl start docker`",
    ),
    Dialect(
        name="podman",
        options=(
            "--ipc=none",
            "--log-driver=none",
            "--security-opt=label=disable",
            "--read-only-tmpfs=false",
            "--stop-timeout=0",
        ),
        takes_stdin=True,
        remedy="`podman machine start`",
        prepares=True,
        litters=True,
    ),
    Dialect(name="finch", options=(_NO_SHARED_MEMORY,), takes_stdin=False, remedy="`finch vm start`"),
    Dialect(
        name="nerdctl", options=(_NO_SHARED_MEMORY,), takes_stdin=False, remedy="`systemctl start containerd`"
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The command of a container engine, ready to be run.

    `command` are its first words, which work in every folder, `name` is what messages call it: the
    command as it was chosen. `environment` is all that it sees of the environment. The dialect
    follows from what it calls itself: `docker` may be a podman.
    """

    name: str
    command: tuple[str, ...]
    dialect: Dialect
    version: str = ""
    environment: Mapping[str, str] = field(repr=False)

    def __call__(
        self,
        *arguments: str,
        timeout: float = _PATIENCE,
        folder: Path | None = None,
        heard: Callable[[bytes], None] = lambda _: None,
    ) -> Ended:
        """Run the engine with these arguments, whatever comes of it. Output is limited to 1 MiB.

        `folder` is where it runs, unless here.

        Raises:
            EngineError: the command cannot be started, or does not end in `timeout` seconds.
        """
        try:
            ended = run(
                [*self.command, *arguments],
                environment=self.environment,
                timeout=timeout,
                folder=folder,
                heard=heard,
            )
        except OSError as error:
            reason = reason_of(error)
            raise EngineError(f"{self.name} cannot be started: {reason}", hint=_INSTALL) from error
        if ended.timed_out:
            raise EngineError(
                f"{self.name} {arguments[0]} did not end within {timeout:.0f} seconds",
                hint=f"is it well? {self.dialect.remedy}",
            )
        return ended

    def must(self, *arguments: str, timeout: float = _PATIENCE) -> str:
        """Run the engine and give what it printed.

        Raises:
            EngineError: it failed, with its own last line.
        """
        ended = self(*arguments, timeout=timeout)
        if ended.code:
            raise EngineError(f"{self.name} {arguments[0]} failed: {last_line(ended)}")
        return ended.out.decode("utf-8", "replace")


def find_client(asked: str | None, environment: Mapping[str, str]) -> Client:
    """Give an engine that answers: the one asked for, else the first of `DIALECTS` on PATH that does.

    `asked` may be a name, a path or a command ("sudo docker"). PATH is that of `environment`.

    Raises:
        EngineError: none is there, or none answers; the message has each one's reason.
        UsageError: what was asked for is no command.
    """
    search_path = environment.get("PATH", os.defpath)
    if asked is not None:
        return _answering(_words(asked), environment, search_path)
    refusals: list[EngineError] = []
    for dialect in DIALECTS:
        if shutil.which(dialect.name, path=search_path):
            try:
                return _answering((dialect.name,), environment, search_path)
            except EngineError as error:
                refusals.append(error)
    if not refusals:
        names = ", ".join(dialect.name for dialect in DIALECTS)
        raise EngineError(f"no container engine is on PATH: {names}", hint=_INSTALL)
    raise EngineError("; ".join(refusal.message for refusal in refusals), hint=refusals[0].hint)


def _words(asked: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(asked))
    except ValueError as error:
        raise UsageError(f"{asked!r} is no command: {str(error).lower()}") from error
    if not words:
        raise UsageError("the container engine's command is empty", hint="name docker or podman, say")
    return words


def _answering(command: tuple[str, ...], environment: Mapping[str, str], search_path: str) -> Client:
    """Ask a command which engine it is, and that engine for our containers, which needs its daemon."""
    program = shutil.which(command[0], path=search_path)
    if not program:
        raise EngineError(f"{command[0]}: no such command", hint=_INSTALL)
    first = command[0] if Path(program).is_absolute() else str(Path(program).absolute())
    client = Client(
        name=" ".join(command),
        command=(first, *command[1:]),
        dialect=DIALECTS[0],
        environment=environment,
    )
    said = client("--version").out.decode("utf-8", "replace")
    known = _VERSION.search(said)
    if not known:
        raise EngineError(
            f"{client.name} is no container engine that layercraft knows: it calls itself "
            f"{said.strip().splitlines()[0] if said.strip() else 'nothing'}",
            hint=_INSTALL,
        )
    dialect = next(dialect for dialect in DIALECTS if dialect.name == known["name"].casefold())
    client = replace(client, dialect=dialect, version=known["version"].strip("v,"))
    ended = client("ps", "--all", "--quiet", "--filter", f"label={LABEL}")
    if ended.code:
        raise _refusal(client, last_line(ended))
    return client


def _refusal(client: Client, line: str) -> EngineError:
    hint = f"is it running? {client.dialect.remedy}"
    if "permission denied" in line.casefold():
        hint = f"this user may not speak to {client.name}: join its group, or take podman, which needs none"
    return EngineError(f"{client.name} does not answer: {line}", hint=hint)


def last_line(ended: Ended) -> str:
    """Give what an engine said last on stderr, in one line without its decoration."""
    return plain_line(ended.err) or plain_line(ended.out) or f"exit code {ended.code}, and no word"


def plain_line(said: bytes) -> str:
    """Give the last line of some output that says something."""
    lines: Sequence[str] = [line.strip() for line in said.decode("utf-8", "replace").splitlines()]
    told = [line for line in lines if line and not line.startswith(("See '", "Run '"))]
    line = told[-1] if told else ""
    for decoration in ("Error response from daemon: ", "Error: ", "error: "):
        line = line.removeprefix(decoration)
    return line
