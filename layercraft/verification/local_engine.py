"""An engine of this machine: the probe in a sandbox, with a Python that runs here by itself or emulated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from layercraft.errors import BadWheelError
from layercraft.events import SILENT
from layercraft.verification.deep import compare_modules, original_layer, requested_modules
from layercraft.verification.diagnosis import items_for, outcome_of
from layercraft.verification.patch_markers import patch_differences, read_metadata
from layercraft.verification.probe_channel import Job
from layercraft.verification.report import Finding, Outcome, Unchecked
from layercraft.verification.sandbox import (
    PROTECTIONS,
    LocalPython,
    protect,
    sandbox,
    shortcomings,
)
from layercraft.verification.surroundings import Surroundings
from layercraft.verification.zip_contents import open_zip

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from layercraft.events import Reporter
    from layercraft.host.cache import Cache
    from layercraft.verification.checks import Checks
    from layercraft.verification.deep import Ask
    from layercraft.verification.layer import LayerUnderTest
    from layercraft.verification.patch_markers import PatchDifference
    from layercraft.verification.probe_channel import Answers, Item
    from layercraft.verification.sandbox import Sandbox


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalEngine:
    """Runs the probe on this machine: natively, or under emulation.

    `cache` has the wheels from which `--deep` lays out the layer as it was before the changes.
    `scratch` is where the temporary folder is made. `runtime` is a folder with what Lambda's runtime
    brings itself, where the layer counts on it: the last one on sys.path. `slowness` is by how much all
    takes longer here than on Lambda, `overhead` how many bytes of memory more; `caveats` are what that
    leaves unsaid.
    """

    name: str
    python: LocalPython
    cache: Cache | None = None
    scratch: Path | None = None
    runtime: Path | None = None
    slowness: float = 1.0
    overhead: int = 0
    caveats: tuple[Unchecked, ...] = ()

    @property
    def description(self) -> str:
        """The interpreter, and where it was found."""
        return str(self.python.interpreter)

    def verify(self, layer: LayerUnderTest, checks: Checks, reporter: Reporter = SILENT) -> Outcome:
        """Unpack the layer and run the checks; a pass counts only where the static engine passes too.

        Raises:
            EngineError: the interpreter cannot be started.
            OutputError: no temporary folder can be made, or the disk is full.
        """
        with sandbox(layer.target, self.scratch) as box:
            try:
                files = box.unpack(layer.zip)
            except BadWheelError as error:
                return Outcome(findings=(self._broken(layer, error),))
            differences = self._differences(layer)
            around = self._surroundings(layer, files, box.layer, differences)
            job = self._job(items_for(checks, layer.distributions), checks, box)
            answers = box.ask(
                self.python,
                job,
                needs=self._needs,
                reporter=reporter,
                label=f"importing with {self.description}",
            )
            outcome = outcome_of(job, answers, around)
            if checks.deep and answers.python:
                outcome = outcome.joined(self._deep(layer, checks, box, around, reporter))
        return self._told(outcome, answers, differences)

    def _deep(
        self,
        layer: LayerUnderTest,
        checks: Checks,
        box: Sandbox,
        around: Surroundings,
        reporter: Reporter,
    ) -> Outcome:
        names = requested_modules(layer.zip, checks.modules)

        def asking(root: Path) -> Ask:
            def ask(items: tuple[Item, ...]) -> tuple[Job, Answers]:
                job = self._job(items, checks, box, root)
                return job, box.ask(
                    self.python,
                    job,
                    layer=root,
                    needs=self._needs,
                    reporter=reporter,
                    label="importing all modules",
                )

            return ask

        def before() -> Ask:
            root = box.folder / "original"
            root.mkdir()
            original_layer(layer, self.cache, root)
            protect(root)
            return asking(root)

        return compare_modules(names, asking(box.layer), before, around)

    @property
    def _needs(self) -> tuple[Path, ...]:
        return (self.runtime,) if self.runtime else ()

    def _job(self, items: tuple[Item, ...], checks: Checks, box: Sandbox, layer: Path | None = None) -> Job:
        folders = (str(box.task), *box.sites(layer))
        return Job(
            items=items,
            path=(*folders, *map(str, self._needs)),
            sites=folders,
            timeout=checks.timeout * self.slowness,
            memory=checks.memory + self.overhead if checks.memory else 0,
        )

    def _broken(self, layer: LayerUnderTest, error: BadWheelError) -> Finding:
        return Finding(engine=self.name, kind="broken-file", subject=layer.zip.name, cause=error.message)

    def _differences(self, layer: LayerUnderTest) -> tuple[PatchDifference, ...]:
        with open_zip(layer.zip) as contents:
            version = self.python.interpreter.full_version
            return patch_differences(read_metadata(contents), layer.target, version)

    def _surroundings(
        self,
        layer: LayerUnderTest,
        files: Mapping[str, int],
        root: Path,
        differences: tuple[PatchDifference, ...],
    ) -> Surroundings:
        return Surroundings(
            engine=self.name,
            layer=layer,
            files=files,
            root=str(root),
            host=f"Python {self.python.interpreter.full_version} here",
            patch_dependencies={
                each.dependency.replace("-", "_"): each.why for each in differences if each.dependency
            },
        )

    def _told(self, outcome: Outcome, answers: Answers, differences: tuple[PatchDifference, ...]) -> Outcome:
        """Add what was made sure of, and what was not."""
        lacking = shortcomings(answers)
        held = [words for words in PROTECTIONS.values() if words not in {each.subject for each in lacking}]
        lines = [f"ran with {self.description}"]
        if held and answers.python:
            lines.append(f"made sure {', '.join(held)}")
        if self.runtime:
            lines.append("put what the layer leaves to the runtime on sys.path, in the versions of its lock")
        patches = (Unchecked(subject=f"{each.name} {each.version}", why=each.why) for each in differences)
        return replace(
            outcome,
            checked=(*lines, *outcome.checked),
            unchecked=(*outcome.unchecked, *self.caveats, *lacking, *patches),
        )
