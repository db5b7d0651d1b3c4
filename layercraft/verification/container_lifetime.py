"""One container, confined as a Lambda function is, and gone when its block ends.

What a killed layercraft left behind is known by its labels and removed by the next run.
"""

from __future__ import annotations

import csv
import io
import json
import platform
import secrets
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from layercraft.errors import EngineError
from layercraft.host.processes import deferred_signals
from layercraft.verification.container_engines import LABEL, last_line

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from layercraft.verification.container_engines import Client

TMP_BYTES = 512 << 20
"""What Lambda gives a function as /tmp, unless it is told otherwise (AWS Lambda quotas)."""
MOST_PROCESSES = 1024
"""Processes and threads of one function (AWS Lambda quotas)."""

_USER = "993:990"  # sbx_user1051, as whom Lambda runs functions
_GRACE = 600.0  # seconds after which a container is left over, wherever its maker lives
_FOLDER, _HOST, _UNTIL = f"{LABEL}.folder", f"{LABEL}.host", f"{LABEL}.until"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """What a container is to be.

    `scratch` is the folder of this run, which is gone when the run has ended: that is how others know
    it. `mounts` gives for each folder in the container the one on this machine; all are read-only.
    Without `entrypoint` the image's own runs. `memory` is in bytes; `lifetime` in seconds is how long
    the container will live at most.
    """

    image: str
    platform: str
    scratch: Path
    mounts: Mapping[str, Path]
    environment: Mapping[str, str]
    command: tuple[str, ...]
    memory: int
    lifetime: float
    entrypoint: str | None = field(default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container that exists.

    `start` is the command that starts it, and shows its output until it ends; `folder` is where that
    command must be run, None when that does not matter.
    """

    name: str
    client: Client
    folder: Path | None = None

    @property
    def start(self) -> tuple[str, ...]:
        """The words of the command."""
        stdin = ("--interactive",) if self.client.dialect.takes_stdin else ()
        return (*self.client.command, "start", "--attach", *stdin, self.name)


@contextmanager
def created(client: Client, blueprint: Blueprint) -> Generator[Container]:
    """Create a container, and remove it when the block ends, whatever it does then.

    Signals wait while the engine creates or removes it, so none is left behind.

    Raises:
        EngineError: the engine refuses.
    """
    name = f"{LABEL}-{secrets.token_hex(6)}"
    with deferred_signals() as deferral:
        try:
            _create(client, name, blueprint)
            with deferral.lifted():
                yield Container(name=name, client=client, folder=_begun_in(client, blueprint))
        finally:
            with suppress(EngineError):  # what cannot be removed now is found by its label later
                client("rm", "--force", "--volumes", name)


def sweep(client: Client, *, host: str = platform.node(), now: float | None = None) -> int:
    """Remove our containers whose maker has gone; give how many there were.

    Call it inside of a scratch folder of your own: to make one removes those of makers that are gone.
    `now` is in seconds since the epoch.

    Raises:
        EngineError: the engine does not answer.
    """
    ids = client.must("ps", "--all", "--quiet", "--filter", f"label={LABEL}").split()
    if not ids:
        return 0
    told = client("inspect", "--format={{.Id}} {{json .Config.Labels}}", *ids)
    now = time.time() if now is None else now
    found = (line.partition(" ") for line in told.out.decode("utf-8", "replace").splitlines())
    abandoned = [identity for identity, _, labels in found if _is_abandoned(labels, host, now)]
    if abandoned:
        client("rm", "--force", "--volumes", *abandoned)
    return len(abandoned)


def _is_abandoned(text: str, host: str, now: float) -> bool:
    """Tell by a container's labels, as JSON, whether the folder of its run is gone, or its time over."""
    try:
        labels = json.loads(text)
        folder, maker, until = labels[_FOLDER], labels[_HOST], float(labels[_UNTIL])
    except (KeyError, TypeError, ValueError):  # not ours, though it has our label
        return False
    return now > until or (maker == host and not Path(folder).exists())


def _create(client: Client, name: str, blueprint: Blueprint) -> None:
    labels = {
        LABEL: name,
        _FOLDER: str(blueprint.scratch),
        _HOST: platform.node(),
        _UNTIL: f"{time.time() + blueprint.lifetime + _GRACE:.0f}",
    }
    options = [
        "--pull=never",
        "--interactive",
        f"--name={name}",
        f"--platform={blueprint.platform}",
        *(f"--label={key}={value}" for key, value in labels.items()),
        "--network=none",
        "--read-only",
        f"--tmpfs=/tmp:rw,exec,size={TMP_BYTES},mode=1777",
        f"--memory={blueprint.memory}",
        f"--memory-swap={blueprint.memory}",  # both together: no swap
        f"--pids-limit={MOST_PROCESSES}",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        f"--user={_USER}",
        *client.dialect.options,
        *(f"--mount={_mount(source, target)}" for target, source in blueprint.mounts.items()),
        *(f"--env={key}={value}" for key, value in blueprint.environment.items()),
        *((f"--entrypoint={blueprint.entrypoint}",) if blueprint.entrypoint else ()),
    ]
    ended = client("create", *options, blueprint.image, *blueprint.command)
    if ended.code:
        line = last_line(ended)
        unseen = any(str(source) in line for source in blueprint.mounts.values())
        raise EngineError(
            f"{client.name} create failed: {line}",
            hint="does the engine see that folder? Point TMPDIR to one that it shares" if unseen else None,
        )

    if client.dialect.prepares:
        folder = _begun_in(client, blueprint)
        client("init", name, folder=folder)  # what is wrong with it, the start tells again


def _begun_in(client: Client, blueprint: Blueprint) -> Path | None:
    """Give the folder in which the engine's monitor may write; it goes with the run."""
    return blueprint.scratch if client.dialect.litters else None


def _mount(source: Path, target: str) -> str:
    """Give one line of comma-separated values, as engines read it; a missing source is an error then."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(["type=bind", f"src={source}", f"dst={target}", "readonly"])
    return line.getvalue()
