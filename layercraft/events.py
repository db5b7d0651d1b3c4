"""What the stages tell while they work: a protocol that the caller may implement, and silence."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class Progress(Protocol):
    """One running job with a known or unknown end."""

    def advance(self, amount: int) -> None:
        """Tell that `amount` more bytes or items are done. Called from any thread."""


class Reporter(Protocol):
    """Where the stages tell what happens. Methods may be called from any thread."""

    def notice(self, text: str) -> None:
        """Tell a fact worth a line."""

    def warning(self, text: str) -> None:
        """Tell a fact that the user should act on."""

    def progress(
        self, label: str, total: int | None, unit: Literal["bytes", "items"]
    ) -> AbstractContextManager[Progress]:
        """Open a running job of `total` bytes or items (None: not known yet)."""


class _SilentProgress:
    def advance(self, amount: int) -> None:
        pass


class SilentReporter:
    """Tells nobody: the library's default."""

    def notice(self, text: str) -> None:
        """Drop the notice."""

    def warning(self, text: str) -> None:
        """Drop the warning."""

    def progress(
        self,
        label: str,  # noqa: ARG002 (the protocol's signature)
        total: int | None,  # noqa: ARG002 (the protocol's signature)
        unit: Literal["bytes", "items"],  # noqa: ARG002 (as above)
    ) -> AbstractContextManager[Progress]:
        """Give a progress that counts for nobody."""
        return nullcontext(_SilentProgress())


SILENT = SilentReporter()


class RememberingReporter:
    """Passes everything on, and keeps the warnings."""

    def __init__(self, reporter: Reporter) -> None:
        self.warnings: list[str] = []
        self.notice = reporter.notice
        self.progress = reporter.progress
        self._reporter = reporter

    def warning(self, text: str) -> None:
        """Keep the warning and pass it on."""
        self.warnings.append(text)
        self._reporter.warning(text)
