"""Verdicts on layers: as text for people and as values for `--json`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from layercraft.console import columns
from layercraft.layer.sizes import human_size
from layercraft.verification.quotation import one_line

if TYPE_CHECKING:
    from layercraft.console import Console
    from layercraft.verification.handler import Invocation
    from layercraft.verification.report import Finding, Verification


def show_verification(console: Console, verification: Verification, invocation: Invocation | None) -> None:
    """Show what was looked at, what each import took, what was found, and the verdict in one line."""
    for line in verification.checked:
        console.out(f"  {line}")
    for line in columns(
        [(each.module, f"{each.seconds:.2f} s", human_size(each.peak)) for each in verification.imports]
    ):
        console.out(f"  {line}")
    for unchecked in verification.unchecked:
        console.notice(f"not checked: {unchecked.subject}: {unchecked.why}")
    for finding in verification.findings:
        _show(console, finding)
    if invocation:
        _show_invocation(console, invocation)
    if invocation and invocation.finding:
        verification = replace(verification, findings=(*verification.findings, invocation.finding))
    console.out(verdict_line(console, verification))


def show_static_verdict(console: Console, verification: Verification) -> None:
    """Show what a build found in the layer's files, the verdict in one line, and how to learn more."""
    for finding in verification.findings:
        _show(console, finding)
    console.out(verdict_line(console, verification))
    if verification.passed:
        console.notice(f"run its imports: layercraft verify {verification.zip}")


def verdict_line(console: Console, verification: Verification) -> str:
    """Give the verdict in one line."""
    target = f"{verification.runtime} {verification.architecture}"
    if verification.findings:
        count = len(verification.findings)
        words = f"{count} finding{'s' if count > 1 else ''}, engine {verification.engine}"
        return f"{verification.zip}: {console.styled('fails', 'error')} on {target}: {words}"
    if verification.ran_imports:
        count = len(verification.imports)
        words = f"{count} import{'s' if count > 1 else ''} ran, engine {verification.engine}"
        return f"{verification.zip}: {console.styled('works', 'good')} on {target}: {words}"
    words = f"for {target}; no import was run, engine {verification.engine}"
    return f"{verification.zip}: {console.styled('nothing found', 'good')} {words}"


def _show(console: Console, finding: Finding) -> None:
    what = one_line(f"{finding.subject}: {finding.cause}")  # files may be called anything
    console.out(f"{console.styled(finding.kind, 'error')}: {what}")
    for extra in (finding.said, finding.blame, finding.remedy):
        if extra and extra not in finding.cause:
            console.out(f"    {extra}")


def _show_invocation(console: Console, invocation: Invocation) -> None:
    if invocation.logs:
        console.out(invocation.logs.rstrip("\n"))
    if invocation.finding:
        _show(console, invocation.finding)
    else:
        console.out(f"{invocation.handler}: {invocation.result}")
    console.out(invocation.report)


def verification_document(verification: Verification, invocation: Invocation | None = None) -> dict[str, Any]:
    """Give a verdict as JSON values; bytes and seconds."""
    import msgspec

    document = {
        **msgspec.to_builtins(verification),
        "passed": verification.passed and not (invocation and invocation.finding),
        "exit_code": exit_code(verification, invocation),
    }
    if invocation:
        document["handler"] = msgspec.to_builtins(invocation) | {"billed_milliseconds": invocation.billed}
    return document


def exit_code(verification: Verification, invocation: Invocation | None) -> int:
    """Give 0 when every import ran and passed, 1 on a finding, 3 when only a static pass was possible."""
    return 1 if invocation and invocation.finding else verification.exit_code
