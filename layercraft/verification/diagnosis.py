"""From what a probe told to an outcome: findings with their causes, timings, and what stays unchecked."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from layercraft.verification.error_causes import cause_of
from layercraft.verification.quotation import beginning, last_line, one_line
from layercraft.verification.report import Finding, ImportTiming, Outcome, Unchecked
from layercraft.verification.surroundings import Cause
from layercraft.verification.version_answers import version_cause

if TYPE_CHECKING:
    from collections.abc import Mapping

    from layercraft.verification.checks import Checks
    from layercraft.verification.probe_channel import Answers, Item, Job, Result
    from layercraft.verification.surroundings import Surroundings

PIPE_GONE = 113
"""The exit code by which a probe's child tells that its own pipe was closed."""

# What faulthandler writes: File "…", line 3 in name
_FRAME = re.compile(r'^  File "([^"]+)", line (\d+) in ', re.MULTILINE)
_MB = 1 << 20
_GLIMPSE = 100  # characters
_FATAL = "Fatal Python error: "  # what faulthandler writes above a stack


def items_for(checks: Checks, distributions: tuple[tuple[str, str], ...]) -> tuple[Item, ...]:
    """Give the probe's items: each import, the script, the versions of all distributions."""
    items: list[Item] = [{"kind": "import", "name": name} for name in checks.imports]
    if checks.script is not None:
        items.append({"kind": "script", "name": checks.script_name or "script.py", "text": checks.script})
    if distributions:
        items.append({"kind": "versions", "names": [name for name, _ in distributions]})
    return tuple(items)


def outcome_of(job: Job, answers: Answers, around: Surroundings) -> Outcome:
    """Judge all answers to a job that `items_for` made.

    An item without an answer is a finding when the probe had begun it or anything after it; when
    the probe never ran at all there is one finding, `engine-missing`.
    """
    if not answers.python:
        return Outcome(
            findings=(
                Finding(
                    engine=around.engine,
                    kind="engine-missing",
                    subject=around.engine,
                    cause=f"the probe does not start: {answers.problem}",
                ),
            )
        )
    gathered = _Gathered()
    for number, (item, result) in enumerate(zip(job.items, answers.results, strict=True)):
        if result is None:
            gathered.add(_unanswered(number, item, answers, around))
        elif item["kind"] == "versions" and result.succeeded and result.verdict:
            _judge_versions(result.verdict["versions"], around, gathered)
        else:
            _judge(item, result, job, around, gathered)
    return gathered.outcome(job, answers)


def diagnosed(item: Item, result: Result, job: Job, around: Surroundings) -> Cause | None:
    """Give why an item failed; None when it did not."""
    cause = _stopped(result, job, around) or _crashed(result, around)
    if cause is None and not result.verdict:
        cause = _vanished(result)
    if cause is None and result.verdict and not result.verdict.get("ok"):
        cause = _refused(result.verdict, result, around)
    if cause is None and result.code:
        cause = Cause(kind="import-exited", text=f"the process ends with exit code {result.code} afterwards")
    if cause is None and result.verdict and result.verdict.get("namespace"):
        cause = _hollow(item["name"], around)
    if cause and cause.kind and item["kind"] == "script" and cause.kind.startswith("import-"):
        return Cause(kind="script-failed", text=cause.text, remedy=cause.remedy, blame=cause.blame)
    return cause


@dataclass(slots=True)
class _Gathered:
    findings: list[Finding] = field(default_factory=list)
    unchecked: list[Unchecked] = field(default_factory=list)
    imports: list[ImportTiming] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)

    def add(self, verdict: Finding | Unchecked) -> None:
        if isinstance(verdict, Finding):
            self.findings.append(verdict)
        else:
            self.unchecked.append(verdict)

    def outcome(self, job: Job, answers: Answers) -> Outcome:
        asked = [item for item in job.items if item["kind"] == "import"]
        ran = any(item["kind"] in {"import", "script"} for item in job.items) and not answers.problem
        lines = []
        if asked:
            lines.append(f"{len(self.imports)} of {len(asked)} imports passed, each in a process of its own")
        not_run = {each.subject for each in self.unchecked}
        return Outcome(
            findings=tuple(self.findings),
            imports=tuple(self.imports),
            checked=(*lines, *self.checked),
            unchecked=tuple(self.unchecked),
            ran_imports=ran and all(item.get("name") not in not_run for item in job.items),
        )


def _judge(item: Item, result: Result, job: Job, around: Surroundings, gathered: _Gathered) -> None:
    cause = diagnosed(item, result, job, around)
    name = item.get("name", "importlib.metadata")
    if cause and cause.kind:
        gathered.add(_finding(name, cause, around))
    elif cause:
        gathered.add(Unchecked(subject=name, why=cause.text))
    elif item["kind"] == "import" and result.verdict:
        verdict = result.verdict
        if verdict.get("namespace"):
            why = "it is a folder without __init__.py: to import it runs nothing; name a module in it"
            gathered.add(Unchecked(subject=name, why=why))
            return
        gathered.imports.append(
            ImportTiming(module=name, seconds=float(verdict["seconds"]), peak=int(verdict["peak"]))
        )
    elif item["kind"] == "script" and result.verdict:
        gathered.checked.append(f"{name} ran to its end in {result.verdict['seconds']:.1f} s")


def _finding(subject: str, cause: Cause, around: Surroundings) -> Finding:
    return Finding(
        engine=around.engine,
        kind=cause.kind,
        subject=subject,
        cause=one_line(cause.text),
        remedy=cause.remedy,
        blame=cause.blame,
        said=cause.said,
    )


def _unanswered(number: int, item: Item, answers: Answers, around: Surroundings) -> Finding | Unchecked:
    name = item.get("name", "importlib.metadata")
    if number == answers.unfinished:
        return Finding(
            engine=around.engine,
            kind="import-crashed",
            subject=name,
            cause=f"the probe itself ended meanwhile: {answers.problem or 'out of time'}",
        )
    return Unchecked(subject=name, why=f"the probe did not come to it: {answers.problem or 'out of time'}")


def _stopped(result: Result, job: Job, around: Surroundings) -> Cause | None:
    if result.stopped == "timeout":
        where = _stack_place(result.output, around)
        return Cause(
            kind="import-timeout",
            text=f"it does not end within {job.timeout:g} seconds{where}",
            remedy="give it more with --timeout, if it is only slow",
        )
    if result.stopped == "memory":
        return Cause(
            kind="out-of-memory",
            text=f"it takes more than {job.memory // _MB} MB of memory",
            remedy="give it more with --memory, and the function too",
        )
    if result.stopped == "flood":
        return Cause(
            kind="import-flooded", text=f"it prints without end: {beginning(result.output, _GLIMPSE)}"
        )
    return None


def _crashed(result: Result, around: Surroundings) -> Cause | None:
    if result.signal is None:
        return None
    try:
        name = signal.Signals(result.signal).name
    except ValueError:
        name = f"signal {result.signal}"
    where = _stack_place(result.output, around)
    return Cause(
        kind="import-crashed",
        text=f"the process is killed by {name}{where}",
        said=_dying_words(result.output) or None,
    )


def _dying_words(output: str) -> str:
    """Give what was written of a crash: the interpreter's line, else the last one."""
    _, fatal, words = output.rpartition(_FATAL)
    return beginning(fatal + words.partition("\n")[0]) if fatal else last_line(output)


def _vanished(result: Result) -> Cause:
    if result.code == PIPE_GONE:
        return Cause(kind="import-exited", text="it closes file descriptors that are not its own")
    last = last_line(result.output)
    text = f"it ends the process with exit code {result.code}" + (f", its last words: {last}" if last else "")
    return Cause(kind="import-exited", text=text)


def _refused(verdict: Mapping[str, Any], result: Result, around: Surroundings) -> Cause:
    if "exit" in verdict:
        last = last_line(result.output)
        told = f", its last words: {last}" if last else ""
        return Cause(kind="script-failed", text=f"it ends with exit code {verdict['exit']}{told}")
    return cause_of(verdict.get("errors", ()), around)


def _hollow(name: str, around: Surroundings) -> Cause | None:
    """See whether a package is a namespace only because its `__init__` was removed."""
    path = f"python/{name.replace('.', '/')}/__init__"
    blame = around.removed(f"{path}.py", f"{path}.pyc")
    if blame is None:
        return None
    return Cause(kind="removed-module", text=f"{name} is an empty namespace: {path}.py is gone", blame=blame)


def _judge_versions(versions: Mapping[str, Any], around: Surroundings, gathered: _Gathered) -> None:
    found = 0
    for name, expected in around.layer.distributions:
        cause = version_cause(name, expected, versions.get(name, {}), around)
        if cause:
            gathered.add(_finding(name, cause, around))
        else:
            found += 1
    gathered.checked.append(
        f"importlib.metadata tells the version of {found} of {len(around.layer.distributions)} distributions"
    )


def _stack_place(output: str, around: Surroundings) -> str:
    """Give the innermost line of the layer in a stack that faulthandler wrote, as " at FILE, line N"."""
    for path, line in _FRAME.findall(output):
        inside = around.inside(path)
        if inside:
            return f", at {inside}, line {line}"
    return ""
