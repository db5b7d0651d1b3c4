"""Proofs of layers as commands ask for them: what is checked, in which engine, and what came of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from layercraft.cli.parameters import python_roots
from layercraft.errors import ConfigurationError, UsageError, reason_of
from layercraft.host.scratch import temporary_folder
from layercraft.verification.checks import DEFAULT_MEMORY, DEFAULT_TIMEOUT

if TYPE_CHECKING:
    from layercraft.console import Console
    from layercraft.pipeline import Built
    from layercraft.recipe.recipe import Recipe
    from layercraft.sources import Sources
    from layercraft.verification.checks import Checks
    from layercraft.verification.engines import Choice, Engine
    from layercraft.verification.handler import Handler, Invocation
    from layercraft.verification.layer import LayerUnderTest
    from layercraft.verification.report import Verification
    from layercraft.verification.verdict import Search


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the command line says beside the layers: `memory` in bytes, `timeout` in seconds."""

    imports: tuple[str, ...] = ()
    deep: bool = False
    timeout: float = DEFAULT_TIMEOUT
    memory: int = DEFAULT_MEMORY
    handler: Handler | None = None


def search_here() -> Search:
    """Give where engines are looked for on this machine."""
    from layercraft.verification.verdict import Search

    pyenv_root, uv_root = python_roots()
    return Search(environment=os.environ, pyenv_root=pyenv_root, uv_root=uv_root)


def proved(
    built: Built, recipe: Recipe, opened: Sources, console: Console, choice: Choice | None = None
) -> Verification:
    """Run what the recipe wants checked of a layer just built, in the engine chosen or the strongest here.

    Raises:
        LayercraftError: this machine is at fault, not the layer.
    """
    from layercraft.target import Target
    from layercraft.verification.layer import read_layer
    from layercraft.verification.verdict import choose_engine

    target = built.record.target
    layer = read_layer(built.zip, Target.parse(target.runtime, target.architecture))
    choice = choice or choose_engine(layer.target, search_here(), opened.cache, console)
    return proof_of(layer, checks_of(layer, recipe, Wishes()), choice, opened, console, built.verdict)


def proof_of(  # noqa: PLR0913, PLR0917 (what is proved, how, and who is asked and told)
    layer: LayerUnderTest,
    checks: Checks,
    choice: Choice,
    opened: Sources,
    console: Console,
    judged: Verification | None = None,
) -> Verification:
    """Tell which engine was chosen, and run the checks in it; `judged` is what the files told already."""
    from layercraft.runtime_packages import like_runtime
    from layercraft.verification.verdict import verify as verify_layer

    console.notice(choice.why)
    with like_runtime(choice.engine, layer, opened, console) as ready:
        return verify_layer(layer, checks, ready, judged=judged, cache=opened.cache, reporter=console)


def checks_of(layer: LayerUnderTest, recipe: Recipe | None, wishes: Wishes) -> Checks:
    """Give what is to be checked: what the wishes name, else the recipe, else what the layer tells.

    Raises:
        ConfigurationError: the recipe's script cannot be read.
    """
    from layercraft.verification.checks import Checks, default_imports

    requested = [each.name for each in recipe.requirements.requirements] if recipe else layer.requested
    script = (
        recipe.folder / recipe.verify.script if recipe and recipe.folder and recipe.verify.script else None
    )
    imports = wishes.imports or (recipe.verify.imports if recipe else ()) or default_imports(layer, requested)
    return Checks(
        imports=tuple(imports),
        script=_script_text(script) if script else None,
        script_name=script.name if script else "",
        deep=wishes.deep,
        modules=tuple(requested),
        timeout=wishes.timeout,
        memory=wishes.memory,
    )


def _script_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {reason_of(error)}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} cannot be read: it is no UTF-8") from error


def invocation_of(
    layer: LayerUnderTest, handler: Handler, engine: Engine | None, opened: Sources, console: Console
) -> Invocation:
    """Call a function of the user's as Lambda would, in the engine that was chosen.

    Raises:
        UsageError: the engine runs no code.
        LayercraftError: this machine is at fault, not the function.
    """
    from layercraft.runtime_packages import lay_out_runtime_packages
    from layercraft.verification.container import ContainerEngine
    from layercraft.verification.container_handler import invoke_in_container
    from layercraft.verification.handler import invoke_locally
    from layercraft.verification.local_engine import LocalEngine

    if isinstance(engine, ContainerEngine):
        return invoke_in_container(layer, handler, engine, console)
    if not isinstance(engine, LocalEngine):
        raise UsageError("--handler needs an engine that runs code", hint="take --engine container or native")
    with temporary_folder() as folder:
        client = lay_out_runtime_packages(layer.target, opened, folder / "runtime", reporter=console)
        return invoke_locally(layer, handler, engine, client, console)
