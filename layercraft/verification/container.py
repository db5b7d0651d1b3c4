"""The container engine: Lambda's own image, confined as a function is."""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from layercraft.errors import BadWheelError, EngineError
from layercraft.events import SILENT
from layercraft.verification.container_engines import find_client
from layercraft.verification.container_images import ensure_image, platform_of
from layercraft.verification.container_lifetime import sweep
from layercraft.verification.container_probe import Place
from layercraft.verification.deep import compare_modules, original_layer, requested_modules
from layercraft.verification.diagnosis import items_for, outcome_of
from layercraft.verification.emulated import EMULATED, OVERHEAD, SLOWNESS
from layercraft.verification.engines import Absent
from layercraft.verification.lambda_image import LAYER, search_path, site_folders
from layercraft.verification.probe_channel import Job
from layercraft.verification.report import Finding, Outcome
from layercraft.verification.sandbox import protect, sandbox
from layercraft.verification.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from layercraft.events import Reporter
    from layercraft.host.cache import Cache
    from layercraft.target import Target
    from layercraft.verification.checks import Checks
    from layercraft.verification.container_engines import Client
    from layercraft.verification.deep import Ask
    from layercraft.verification.layer import LayerUnderTest
    from layercraft.verification.probe_channel import Answers, Item
    from layercraft.verification.sandbox import Sandbox

_MB = 1 << 20
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}  # as some systems call them


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerEngine:
    """Runs the probe in containers made of Lambda's image, a new one each time.

    `title` is what people are told of the image, where it is not its name. `cache` has the wheels from
    which `--deep` lays out the layer as it was before the changes. `scratch` is where the temporary
    folder is made; the engine must see it. `foreign` tells that the image is for another machine than
    this one: what runs is emulated, and gets more time and memory.
    """

    client: Client
    image: str
    title: str = ""
    cache: Cache | None = None
    scratch: Path | None = None
    foreign: bool = False

    @property
    def name(self) -> str:
        """The name of this kind of engine."""
        return "container"

    @property
    def description(self) -> str:
        """The image, and who runs it."""
        return f"{self.title or self.image} in {self.client.name} {self.client.version}"

    def verify(self, layer: LayerUnderTest, checks: Checks, reporter: Reporter = SILENT) -> Outcome:
        """Unpack the layer, mount it at /opt and run the checks.

        Raises:
            EngineError: the container engine, or the image, is at fault.
            OutputError: no temporary folder can be made, or the disk is full.
        """
        with sandbox(layer.target, self.scratch) as box:
            sweep(self.client)
            try:
                files = box.unpack(layer.zip)
            except BadWheelError as error:
                finding = Finding(
                    engine=self.name, kind="broken-file", subject=layer.zip.name, cause=error.message
                )
                return Outcome(findings=(finding,))
            if self.foreign:
                timeout, memory = checks.timeout * SLOWNESS, checks.memory + OVERHEAD
                checks = replace(checks, timeout=timeout, memory=memory)
            run = _Run(engine=self, layer=layer, checks=checks, box=box, reporter=reporter)
            outcome = run.outcome(files)
            return replace(outcome, unchecked=(*outcome.unchecked, EMULATED)) if self.foreign else outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One verification: what, with which checks, and where it is unpacked."""

    engine: ContainerEngine
    layer: LayerUnderTest
    checks: Checks
    box: Sandbox
    reporter: Reporter

    def outcome(self, files: Mapping[str, int]) -> Outcome:
        image = self.engine.image
        around = Surroundings(
            engine=self.engine.name, layer=self.layer, files=files, root=LAYER, in_image=True, host=image
        )
        label = f"importing in {self.engine.title or image}"
        job, answers = self.ask(items_for(self.checks, self.layer.distributions), self.box.layer, label)
        outcome = outcome_of(job, answers, around)
        if self.checks.deep:
            outcome = outcome.joined(self._deep(around))
        ran = f"ran with Python {answers.python} of {self.engine.description}"
        sure = "made sure that nothing but /tmp is written, that no network and no /dev/shm are needed"
        enough = f"and that {self.checks.memory // _MB} MB of memory are enough"
        return replace(outcome, checked=(ran, f"{sure}, {enough}", *outcome.checked))

    def _deep(self, around: Surroundings) -> Outcome:
        names = requested_modules(self.layer.zip, self.checks.modules)

        def asking(root: Path) -> Ask:
            return lambda items: self.ask(items, root, "importing all modules")

        def before() -> Ask:
            root = self.box.folder / "original"
            root.mkdir()
            original_layer(self.layer, self.engine.cache, root)
            protect(root)
            return asking(root)

        return compare_modules(names, asking(self.box.layer), before, around)

    def ask(self, items: tuple[Item, ...], layer: Path, label: str) -> tuple[Job, Answers]:
        """Have the probe do some items in a container of their own, on the layer unpacked at `layer`."""
        target = self.layer.target
        job = Job(
            items=items,
            path=search_path(target),
            sites=site_folders(target),
            timeout=self.checks.timeout,
            memory=self.checks.memory,
        )
        place = Place(client=self.engine.client, image=self.engine.image, target=target, box=self.box)
        return job, place.ask(job, layer=layer, reporter=self.reporter, label=label)


def find_container(  # noqa: PLR0913 (where to look, and for what)
    target: Target,
    *,
    environment: Mapping[str, str],
    command: str | None = None,
    image: str | None = None,
    pull: bool = True,
    cache: Cache | None = None,
    scratch: Path | None = None,
    reporter: Reporter = SILENT,
) -> ContainerEngine | Absent:
    """Find a container engine that answers and has Lambda's image for the target, or pulls it.

    `command` names the engine, `image` another image than AWS's. `environment` is what the engine's
    command sees: PATH, HOME, DOCKER_HOST and the like.

    Raises:
        UsageError: `command` is no command.
    """
    title = "" if image else f"AWS's image for {target.runtime.name}"
    image = image or target.runtime.image
    try:
        client = find_client(command, environment)
        ensure_image(client, image, platform_of(target), pull=pull, reporter=reporter)
    except EngineError as error:
        return Absent(name="container", why=error.message, remedy=error.hint)
    here = platform.machine().lower()
    foreign = _MACHINES.get(here, here) != target.machine
    return ContainerEngine(
        client=client, image=image, title=title, cache=cache, scratch=scratch, foreign=foreign
    )
