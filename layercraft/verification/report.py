"""What a verification found, what it measured, and what it could not look at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = (
    "bad-mode",
    "broken-file",
    "engine-missing",
    "foreign-abi",
    "glibc-too-new",
    "handler-failed",
    "import-crashed",
    "import-exited",
    "import-failed",
    "import-flooded",
    "import-timeout",
    "libgcc-too-new",
    "libstdcxx-too-new",
    "metadata-missing",
    "metadata-version",
    "misaligned-segment",
    "missing-library",
    "no-shared-memory",
    "out-of-memory",
    "partial-runtime-sdk",
    "read-only",
    "removed-file",
    "removed-module",
    "script-failed",
    "too-large",
    "wrong-layout",
    "wrong-machine",
)
"""Every kind of finding, sorted: what goes wrong in Lambda, not which engine saw it."""

PASSED, FAILED, ONLY_STATIC = 0, 1, 3

STATIC = "static"
"""The name of the engine that reads files and runs nothing."""


def joint_code(codes: Sequence[int]) -> int:
    """Give the exit code for several layers: that of a failure, if there is one, else the highest."""
    return FAILED if FAILED in codes else max(codes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One reason why the layer does not work.

    `kind` is one of `KINDS`, `subject` the file inside the layer (`python/numpy/…`) or the module,
    `cause` a sentence without a full stop, `remedy` what to do about it. `blame` tells what took
    away that which is missing: "removed by rule **/tests/ of layers/x/layer.toml". `said` are the words
    of the loader or the interpreter where code was run, one line of printable characters.
    """

    engine: str
    kind: str
    subject: str
    cause: str
    remedy: str | None = None
    blame: str | None = None
    said: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportTiming:
    """How long an import took, in seconds, and the bytes of memory that it added at its peak."""

    module: str
    seconds: float
    peak: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchecked:
    """Something that nobody looked at, or that cannot be judged from here, and why."""

    subject: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one engine found. `checked` are lines for people: what was looked at, with numbers.

    `ran_imports` tells that every import and script that was asked for really ran here, one at least,
    whatever came of it.
    """

    findings: tuple[Finding, ...] = ()
    imports: tuple[ImportTiming, ...] = ()
    checked: tuple[str, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()
    ran_imports: bool = False

    def joined(self, more: Outcome) -> Outcome:
        """Give both outcomes as one; a module that both found is told once."""
        told = {each.subject for each in self.findings}
        return replace(
            self,
            findings=(*self.findings, *(each for each in more.findings if each.subject not in told)),
            checked=(*self.checked, *more.checked),
            unchecked=(*self.unchecked, *more.unchecked),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The verdict on one layer, by all engines that ran; `msgspec.to_builtins` makes it JSON values.

    `engine` is the strongest that ran: static, native, emulated, container or lambda. `zip` is the file's
    path, `runtime` and `architecture` name the target. `ran_imports` tells that every import and
    script that was asked for really ran, one at least, whatever came of it.
    """

    engine: str
    zip: str
    runtime: str
    architecture: str
    findings: tuple[Finding, ...] = ()
    imports: tuple[ImportTiming, ...] = ()
    checked: tuple[str, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()
    ran_imports: bool = False

    @property
    def passed(self) -> bool:
        """Whether nothing was found. Without `ran_imports` this is a static pass only."""
        return not self.findings

    @property
    def exit_code(self) -> int:
        """0 when every import ran and passed, 1 on findings, 3 when only a static pass was possible."""
        if self.findings:
            return FAILED
        return PASSED if self.ran_imports else ONLY_STATIC
