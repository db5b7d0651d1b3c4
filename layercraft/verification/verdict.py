"""The verdict on a layer: the files are always read, and the strongest engine at hand runs the imports."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from layercraft.errors import EngineError, UsageError
from layercraft.events import SILENT
from layercraft.verification.engines import STRENGTH, Absent, Choice, strongest
from layercraft.verification.report import STATIC, Outcome, Verification
from layercraft.verification.static import static

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from layercraft.events import Reporter
    from layercraft.host.cache import Cache
    from layercraft.target import Target
    from layercraft.verification.checks import Checks
    from layercraft.verification.engines import Engine
    from layercraft.verification.layer import LayerUnderTest

AUTO = "auto"
ENGINES = (AUTO, *STRENGTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which engine is wanted, and where to look for what it needs.

    `engine` is one of `ENGINES`; `environment` is what a container engine's command sees, PATH among
    it. `python`, `qemu`, `command` and `image` name one instead of a search.
    """

    engine: str = AUTO
    environment: Mapping[str, str] = field(default_factory=dict)
    python: Path | None = None
    pyenv_root: Path | None = None
    uv_root: Path | None = None
    qemu: Path | None = None
    roots: Sequence[Path] = ()
    command: str | None = None
    image: str | None = None
    pull: bool = True

    @property
    def search_path(self) -> str:
        """PATH, or the system's default."""
        return self.environment.get("PATH", os.defpath)


def choose_engine(
    target: Target, search: Search, cache: Cache | None = None, reporter: Reporter = SILENT
) -> Choice:
    """Find the engine that is wanted; `auto` takes the strongest that is here, and pulls no image.

    Raises:
        UsageError: no such engine, or something named is not there or does not fit.
        EngineError: the engine that is wanted cannot run here; says why, and the way out.
    """
    if search.engine not in ENGINES:
        raise UsageError(f"--engine {search.engine}: no such engine", hint=f"take {', '.join(ENGINES)}")
    if search.engine == STATIC:
        return Choice(engine=None, why="static: as asked")
    wanted = STRENGTH[1:] if search.engine == AUTO else (search.engine,)
    found = [_find(name, target, search, cache, reporter) for name in wanted]
    if search.engine != AUTO and isinstance(found[0], Absent):
        raise EngineError(f"no {found[0].name} engine: {found[0].why}", hint=found[0].remedy)
    return strongest(found)


def _find(
    name: str, target: Target, search: Search, cache: Cache | None, reporter: Reporter
) -> Engine | Absent:
    from layercraft.verification.container import find_container
    from layercraft.verification.emulated import find_emulated
    from layercraft.verification.native import find_native

    if name == "native":
        return find_native(
            target,
            cache=cache,
            python=search.python,
            search_path=search.search_path,
            pyenv_root=search.pyenv_root,
            uv_root=search.uv_root,
        )
    if name == "emulated":
        return find_emulated(
            target, cache=cache, qemu=search.qemu, roots=search.roots, search_path=search.search_path
        )
    return find_container(
        target,
        environment=search.environment,
        command=search.command,
        image=search.image,
        pull=search.pull and search.engine != AUTO,
        cache=cache,
        reporter=reporter,
    )


def judge(layer: LayerUnderTest, cache: Cache | None = None, reporter: Reporter = SILENT) -> Verification:
    """Judge a layer by its files alone: the static verdict.

    Raises:
        UsageError: the zip is missing, or is none that layercraft reads.
    """
    outcome = static(layer, cache, reporter)
    return Verification(
        engine=STATIC,
        zip=str(layer.zip),
        runtime=layer.target.runtime.name,
        architecture=layer.target.architecture,
        findings=outcome.findings,
        checked=outcome.checked,
        unchecked=outcome.unchecked,
    )


def verify(  # noqa: PLR0913 (what is judged, how, and three collaborators)
    layer: LayerUnderTest,
    checks: Checks,
    engine: Engine | None = None,
    *,
    judged: Verification | None = None,
    cache: Cache | None = None,
    reporter: Reporter = SILENT,
) -> Verification:
    """Judge a layer: by its files, and by running the checks in `engine` where one is given.

    It passes only where both pass: this machine may own a library that Lambda lacks. The files are
    not read again where `judged` is their verdict already.

    Raises:
        UsageError: the zip is missing, or is none that layercraft reads.
        EngineError: the engine is at fault, not the layer.
    """
    read = judged or judge(layer, cache, reporter)
    if engine is None:
        return read
    ran = engine.verify(layer, checks, reporter)
    found = Outcome(findings=read.findings, checked=read.checked, unchecked=read.unchecked)
    outcome = found.joined(ran)
    return replace(
        read,
        engine=engine.name,
        findings=outcome.findings,
        imports=ran.imports,
        checked=outcome.checked,
        unchecked=outcome.unchecked,
        ran_imports=ran.ran_imports,
    )
