"""One invocation of a user's handler through Lambda's own runtime client, awslambdaric."""

from __future__ import annotations

import json
import math
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from layercraft.errors import UsageError
from layercraft.events import SILENT
from layercraft.verification.diagnosis import diagnosed
from layercraft.verification.probe_channel import Job, program
from layercraft.verification.quotation import one_line
from layercraft.verification.report import Finding
from layercraft.verification.sandbox import lambda_environment, sandbox
from layercraft.verification.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from layercraft.events import Reporter
    from layercraft.target import Target
    from layercraft.verification.layer import LayerUnderTest
    from layercraft.verification.local_engine import LocalEngine
    from layercraft.verification.probe_channel import Answers, Item, Result

_SUFFIX = ".py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """A function in a file, as `--handler FILE:FUNCTION` names it, and the event that it gets.

    `timeout` is in seconds, `memory` in bytes.
    """

    file: Path
    function: str
    event: str = "{}"
    timeout: float = 120.0
    memory: int = 512 << 20

    @classmethod
    def parse(cls, text: str, event: str = "{}", **more: Any) -> Self:  # noqa: ANN401 (the other fields)
        """Read FILE:FUNCTION and the event's JSON.

        Raises:
            UsageError: there is no such file, no function is named, or the event is no JSON.
        """
        name, _, function = text.rpartition(":")
        file = Path(name)
        if not name or not function.replace(".", "_").isidentifier():
            raise UsageError(f"--handler {text}: expected FILE:FUNCTION", hint="such as app.py:handler")
        if not file.is_file() or file.suffix != _SUFFIX:
            raise UsageError(f"--handler {text}: there is no Python file {file}")
        try:
            json.loads(event)
        except ValueError as error:
            raise UsageError(f"--event is no JSON: {error}", hint='such as \'{"key": "value"}\'') from error
        return cls(file=file.resolve(), function=function, event=event, **more)

    @property
    def name(self) -> str:
        """What Lambda calls it: `app.handler`."""
        return f"{self.file.stem}.{self.function}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What came of it.

    `result` is the handler's answer as JSON text, None when there was none; then `finding` tells why.
    `seconds` and `init_seconds` are those of the handler and of everything before it, `max_memory`
    the bytes that the process took at its peak, `logs` what it printed.
    """

    handler: str
    result: str | None = None
    finding: Finding | None = None
    error: Mapping[str, Any] | None = None
    seconds: float = 0.0
    init_seconds: float = 0.0
    max_memory: int = 0
    memory: int = 0
    logs: str = ""

    @property
    def billed(self) -> int:
        """The duration as Lambda bills it: milliseconds, rounded up (AWS Lambda pricing)."""
        return math.ceil(self.seconds * 1000)

    @property
    def report(self) -> str:
        """The line that Lambda writes into a function's log."""
        return (
            f"Duration: {self.seconds * 1000:.2f} ms  Billed Duration: {self.billed} ms  "
            f"Memory Size: {self.memory >> 20} MB  Max Memory Used: {math.ceil(self.max_memory / 2**20)} MB  "
            f"Init Duration: {self.init_seconds * 1000:.2f} ms"
        )


def invoke_locally(
    layer: LayerUnderTest,
    handler: Handler,
    engine: LocalEngine,
    runtime_packages: Path,
    reporter: Reporter = SILENT,
) -> Invocation:
    """Call a handler once on this machine, with the layer where /opt would be.

    `runtime_packages` is a folder that holds awslambdaric and what else Lambda brings, for the target.

    Raises:
        EngineError: the interpreter cannot be started.
        OutputError: no temporary folder can be made.
    """
    with sandbox(layer.target, engine.scratch) as box:
        files = box.unpack(layer.zip)
        sites = (str(handler.file.parent), *box.sites())
        item = handler_item(
            handler,
            layer.target,
            path=(*sites, str(runtime_packages)),
            sites=sites,
            environment=lambda_environment(layer.target, box.layer, engine.python.interpreter.libraries),
        )
        job = handler_job(handler, item)
        answers = box.ask(
            engine.python,
            job,
            needs=(handler.file.parent, runtime_packages),
            reporter=reporter,
            label=f"calling {handler.name}",
        )
        around = Surroundings(
            engine=engine.name,
            layer=layer,
            files=files,
            root=str(box.layer),
            host=f"Python {engine.python.interpreter.full_version} here",
        )
    return invocation_of(handler, job, answers, around)


def handler_item(
    handler: Handler,
    target: Target,
    *,
    path: tuple[str, ...],
    sites: tuple[str, ...],
    environment: Mapping[str, str],
) -> Item:
    """Give the probe's item; the first of `path` is the folder that stands for /var/task."""
    return {
        "kind": "handler",
        "name": handler.name,
        "event": handler.event,
        "timeout": handler.timeout,
        "api": program("runtime_api.py").decode(),
        "path": path,
        "sites": sites,
        "environment": {
            **environment,
            "_HANDLER": handler.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(handler.memory >> 20),
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "LAMBDA_TASK_ROOT": path[0],
            "PYTHONPATH": "/var/runtime",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{target.runtime.name}",
        },
    }


def handler_job(handler: Handler, item: Item) -> Job:
    """Give the job; its supervisor sees nothing of the layer, so it has no path."""
    return Job(items=(item,), path=(), sites=(), timeout=handler.timeout, memory=handler.memory)


def invocation_of(handler: Handler, job: Job, answers: Answers, around: Surroundings) -> Invocation:
    """Read what the probe told of an invocation."""
    result = answers.results[0]
    logs = result.output if result else ""
    if result is None or result.stopped or not result.verdict:
        finding = _stopped(handler, job, answers, around)
        return Invocation(handler=handler.name, finding=finding, memory=handler.memory, logs=logs)
    verdict = result.verdict
    outcome = verdict.get("outcome") or {}
    error = outcome.get("error") or outcome.get("init_error")
    return Invocation(
        handler=handler.name,
        result=outcome.get("result"),
        finding=None if "result" in outcome else _failed(handler, _why(verdict, error, result), around),
        error=error,
        seconds=verdict["seconds"],
        init_seconds=verdict["init"],
        max_memory=verdict["peak"],
        memory=handler.memory,
        logs=logs,
    )


def _stopped(handler: Handler, job: Job, answers: Answers, around: Surroundings) -> Finding:
    result = answers.results[0]
    cause = diagnosed(job.items[0], result, job, around) if result else None
    if cause is None:
        return _failed(handler, f"the probe does not run: {answers.problem}", around, "engine-missing")
    kind = "out-of-memory" if cause.kind == "out-of-memory" else "handler-failed"
    return _failed(handler, cause.text, around, kind)


def _why(verdict: Mapping[str, Any], error: Mapping[str, Any] | None, result: Result) -> str:
    if error:
        return f"{error.get('errorType', 'an error')}: {error.get('errorMessage', '')}"
    last = next(filter(None, map(str.strip, reversed(result.output.splitlines()))), "")
    return f"the runtime {_ended(verdict.get('status'))} without an answer" + (f": {last}" if last else "")


def _ended(status: int | None) -> str:
    if status is None:
        return "ended"
    if os.WIFSIGNALED(status):
        return f"was killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"ended with exit code {os.WEXITSTATUS(status)}"


def _failed(handler: Handler, text: str, around: Surroundings, kind: str = "handler-failed") -> Finding:
    return Finding(engine=around.engine, kind=kind, subject=handler.name, cause=one_line(text))
