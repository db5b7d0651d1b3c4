"""Talks with the probe: gives it a job, listens to its answer, and believes only what bears the token."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from layercraft.events import SILENT
from layercraft.host.processes import kill_labelled, run

if TYPE_CHECKING:
    from pathlib import Path

    from layercraft.events import Reporter

LABEL = "LAYERCRAFT_PROBE"
"""The variable that marks every process of a probe."""

MODULES_TIMES = 10
"""For "modules", how many times an item's seconds may pass at most."""

_BEGINNING = 30.0  # seconds until the probe runs
_END = 15.0  # seconds by which the probe may overrun its own deadline, before it is killed
_LINE = 1 << 20  # bytes of one answer at most
_NOISE = 4096  # bytes that are kept of what bears no token

Item = Mapping[str, Any]
"""One thing to do; see the text of `probe.py`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What the probe shall do. `path` goes in front of sys.path, `.pth` files of `sites` run.

    `timeout` is in seconds for each item, `memory` in bytes for each; 0 bytes are no limit.
    """

    items: tuple[Item, ...]
    path: tuple[str, ...]
    sites: tuple[str, ...]
    timeout: float
    memory: int

    @property
    def deadline(self) -> float:
        """Seconds after which the probe ends by itself."""
        steps = (MODULES_TIMES if item["kind"] == "modules" else 1 for item in self.items)
        return _BEGINNING + self.timeout * sum(steps)

    def encoded(self, token: str) -> bytes:
        """Give the document that the probe reads."""
        return json.dumps(
            {
                "token": token,
                "path": self.path,
                "sites": self.sites,
                "items": list(map(dict, self.items)),
                "timeout": self.timeout,
                "deadline": self.deadline,
                "memory": self.memory,
            }
        ).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How one item went.

    `verdict` is what its own process told, None when it told nothing. `code` and `signal` are how
    that process ended (one of them is None), `stopped` why the probe ended it: timeout, memory,
    flood or "". `output` is what it printed, the middle left out where it is long. For "modules",
    `passed` and `raised` are those that were imported, and those whose import raised an error.
    """

    verdict: Mapping[str, Any] | None = None
    code: int | None = None
    signal: int | None = None
    stopped: str = ""
    output: str = ""
    passed: tuple[str, ...] = ()
    raised: tuple[str, ...] = ()

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> Result:
        """Read the probe's line."""
        end = message.get("end", {})
        return cls(
            verdict=message.get("verdict"),
            code=end.get("code"),
            signal=end.get("signal"),
            stopped=end.get("stopped", ""),
            output=message.get("output", ""),
            passed=tuple(message.get("passed", ())),
            raised=tuple(message.get("raised", ())),
        )

    @property
    def succeeded(self) -> bool:
        """Whether the process told that all went well, and then ended well."""
        return bool(self.verdict and self.verdict.get("ok")) and self.code == 0 and not self.stopped


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """All that a probe told.

    `results` has one entry for each item of the job, None where there was no answer, and `started`
    the numbers of the items that were begun. `python` and `machine` are empty when the probe never
    ran. `confined` is what `host/namespaces.py` reported, None without it. `problem` tells why the
    answer is not whole.
    """

    results: tuple[Result | None, ...]
    started: frozenset[int] = frozenset()
    python: str = ""
    machine: str = ""
    confined: Mapping[str, str] | None = None
    problem: str = ""

    @property
    def unfinished(self) -> int | None:
        """The item that was running when the answer broke off."""
        missing = [number for number in sorted(self.started) if self.results[number] is None]
        return missing[0] if missing else None


def program(name: str = "probe.py", package: str = "layercraft.verification") -> bytes:
    """Give the source of a program that runs elsewhere."""
    return files(package).joinpath(name).read_bytes()


def new_token() -> str:
    """Give a word that nobody can guess."""
    return secrets.token_hex(16)


def ask_probe(  # noqa: PLR0913 (how a process is started)
    command: Sequence[str | Path],
    job: Job,
    *,
    environment: Mapping[str, str] = MappingProxyType({}),
    folder: Path | None = None,
    token: str = "",
    reporter: Reporter = SILENT,
    label: str = "running the probe",
) -> Answers:
    """Run the command, which is or contains a probe that reads its job from stdin; give its answers.

    Whatever the command and what it runs may print or do, only lines on its stdout that bear the
    token count. It is killed with its process group some seconds after the probe's own deadline.

    Raises:
        OSError: the command cannot be started.
    """
    token = token or new_token()
    most = _LINE * (len(job.items) + 1)
    with reporter.progress(label, len(job.items), "items") as progress:
        listener = _Listener(token, progress.advance)
        try:
            ended = run(
                command,
                environment={**environment, LABEL: token},
                folder=folder,
                stdin=job.encoded(token),
                timeout=job.deadline + _END,
                most_output=most,
                heard=listener.hear,
            )
        finally:
            kill_labelled(f"{LABEL}={token}")
    problem = ""
    if ended.timed_out:
        problem = f"it did not end within {job.deadline + _END:.0f} seconds"
    elif ended.flooded:
        problem = "it printed without end"
    return listener.answers(job, problem=problem, code=ended.code, err=ended.err)


def read_answers(  # noqa: PLR0913 (what is known of how it ended)
    output: bytes, job: Job, token: str, *, problem: str, code: int, err: bytes
) -> Answers:
    """Give the answers of a probe that ran elsewhere, of whose stdout this is the beginning or all.

    `problem` tells why it is not all, where that is known; `err` is what it wrote to stderr.
    """
    listener = _Listener(token, lambda _: None)
    listener.hear(output + b"\n")
    return listener.answers(job, problem=problem, code=code, err=err)


class _Listener:
    """Takes the probe's answer apart, line by line, as it comes."""

    def __init__(self, token: str, advance: Any) -> None:  # noqa: ANN401 (a function of numbers)
        self.hello: dict[str, str] = {}
        self.confined: dict[str, str] | None = None
        self.results: dict[int, Result] = {}
        self.started: set[int] = set()
        self.said_goodbye = False
        self.noise = b""
        self._token = token
        self._advance = advance
        self._rest = b""

    def hear(self, piece: bytes) -> None:
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            message = _message(line)
            if message and message.pop("token", None) == self._token:
                self._take(message)
            else:
                self.noise = (self.noise + line[-_NOISE:] + b"\n")[-_NOISE:]

    def answers(self, job: Job, *, problem: str, code: int, err: bytes) -> Answers:
        """Give all that was told, once nothing more can come."""
        if not (problem or self.said_goodbye):
            problem = _last_words(err + b"\n" + self.noise) or f"it ended with exit code {code}"
        return Answers(
            results=tuple(map(self.results.get, range(len(job.items)))),
            started=frozenset(self.started),
            python=self.hello.get("version", ""),
            machine=self.hello.get("machine", ""),
            confined=self.confined,
            problem=problem,
        )

    def _take(self, message: dict[str, Any]) -> None:
        number = message.get("item")
        if "hello" in message:
            self.hello = message["hello"]
        elif "confined" in message:
            self.confined = message["confined"]
        elif "bye" in message:
            self.said_goodbye = True
        elif isinstance(number, int) and message.get("started"):
            self.started.add(number)
        elif isinstance(number, int) and number not in self.results:
            self.results[number] = Result.of(message)
            self._advance(1)


def _message(line: bytes) -> dict[str, Any] | None:
    if not line.startswith(b"{"):
        return None
    with suppress(ValueError):
        message: dict[str, Any] = json.loads(line)
        return message
    return None


def _last_words(output: bytes) -> str:
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1] if lines else ""
