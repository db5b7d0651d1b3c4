"""One invocation of a user's handler in Lambda's image, through AWS's Runtime Interface Emulator."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from layercraft.errors import EngineError, UsageError
from layercraft.events import SILENT
from layercraft.target import UNZIPPED_LIMIT
from layercraft.verification.container_lifetime import sweep
from layercraft.verification.container_probe import Place
from layercraft.verification.emulated import OVERHEAD, SLOWNESS
from layercraft.verification.handler import handler_job, invocation_of
from layercraft.verification.lambda_image import LAYER, TASK, function_environment
from layercraft.verification.probe_channel import program
from layercraft.verification.sandbox import sandbox
from layercraft.verification.surroundings import Surroundings

if TYPE_CHECKING:
    from layercraft.events import Reporter
    from layercraft.verification.container import ContainerEngine
    from layercraft.verification.handler import Handler, Invocation
    from layercraft.verification.layer import LayerUnderTest
    from layercraft.verification.probe_channel import Answers, Item
    from layercraft.verification.report import Finding

BESIDES = 32 << 20
"""Bytes of memory that the emulator and the probe take, which no function pays for."""

# What the emulator tells of itself, and its own REPORT, whose memory is the limit and not the use.
_EMULATOR_LINE = re.compile(r"(?m)^(?:\d\d \w+ \d{4} [\d:,]+ \[\w+\] \(rapid\) |REPORT RequestId: ).*\n?")
_BEYOND = 30.0  # seconds for the emulator to start and to end


def invoke_in_container(
    layer: LayerUnderTest,
    handler: Handler,
    engine: ContainerEngine,
    reporter: Reporter = SILENT,
) -> Invocation:
    """Call a handler once in Lambda's image, with the layer at /opt and the handler's folder at /var/task.

    Raises:
        EngineError: the container engine, or the image, is at fault.
        UsageError: the handler's folder is too large, or cannot be read.
        BadWheelError: the layer's zip is broken.
        OutputError: no temporary folder can be made, or the disk is full.
    """
    with sandbox(layer.target, engine.scratch) as box:
        sweep(engine.client)
        files = box.unpack(layer.zip)
        copy_function(handler.file.parent, box.task)
        place = Place(client=engine.client, image=engine.image, target=layer.target, box=box)
        if engine.foreign:
            handler = replace(handler, timeout=handler.timeout * SLOWNESS)
        job = handler_job(handler, _item(handler, layer, engine))
        besides = BESIDES + (OVERHEAD if engine.foreign else 0)
        job = replace(job, timeout=handler.timeout + _BEYOND, memory=handler.memory + besides)
        answers = place.ask(job, reporter=reporter, label=f"calling {handler.name}")
    around = Surroundings(
        engine=engine.name, layer=layer, files=files, root=LAYER, in_image=True, host=engine.image
    )
    invocation = invocation_of(handler, job, answers, around)
    invocation = replace(invocation, logs=_EMULATOR_LINE.sub("", invocation.logs))
    if invocation.finding and _starved(invocation.finding, answers):
        text = f"it takes more than {handler.memory >> 20} MB of memory"
        finding = replace(invocation.finding, kind="out-of-memory", cause=text)
        return replace(invocation, finding=finding)
    return invocation


def _starved(finding: Finding, answers: Answers) -> bool:
    """Tell whether memory ran out: the probe ended it for that, or the kernel one of its processes."""
    result = answers.results[0]
    verdict = (result and result.verdict) or {}
    return finding.kind == "out-of-memory" or bool(verdict.get("starved"))


def copy_function(source: Path, target: Path) -> None:
    """Copy a handler's folder into an existing one, with the modes that Lambda would give it.

    What begins with a dot and compiled bytecode stay out; links are followed.

    Raises:
        UsageError: it holds more than a function may, or cannot be read.
    """
    room = UNZIPPED_LIMIT

    def copy(file: str, to: str) -> None:
        nonlocal room
        room -= os.stat(file).st_size  # noqa: PTH116 (copytree gives texts)
        if room < 0:
            raise UsageError(
                f"{source} holds more than the {UNZIPPED_LIMIT:,} bytes that a function may",
                hint="put the handler into a folder of its own, with nothing but what it needs",
            )
        shutil.copyfile(file, to)
        os.chmod(to, 0o755 if os.access(file, os.X_OK) else 0o644)  # noqa: PTH101 (as above)

    left_out = shutil.ignore_patterns(".*", "__pycache__")
    try:
        shutil.copytree(source, target, ignore=left_out, copy_function=copy, dirs_exist_ok=True)
        for folder, _, _ in os.walk(target):
            Path(folder).chmod(0o755)
    except (OSError, shutil.Error) as error:
        raise UsageError(f"{source} cannot be copied: {error}") from error


def _item(handler: Handler, layer: LayerUnderTest, engine: ContainerEngine) -> Item:
    """Give the probe's item: the image's own entrypoint, which starts the emulator outside of Lambda."""
    told = engine.client.must("image", "inspect", "--format={{json .Config.Entrypoint}}", engine.image)
    entrypoint = json.loads(told)
    if not entrypoint:
        raise EngineError(
            f"the image {engine.image} has no entrypoint, so no emulator of Lambda's runtime interface",
            hint="call the handler with --engine native, or name one of AWS's images with --image",
        )
    seconds = max(1, math.ceil(handler.timeout))
    environment = function_environment(layer.target, handler.memory)
    return {
        "kind": "emulator",
        "name": handler.name,
        "client": program("emulator_client.py").decode(),
        "event": handler.event,
        "timeout": handler.timeout,
        "command": [*entrypoint, handler.name],
        "environment": environment | {"AWS_LAMBDA_FUNCTION_TIMEOUT": str(seconds)},
        "folder": TASK,
    }
