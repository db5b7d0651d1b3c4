"""A function that is there for one verification, and gone afterwards with all that it left.

Names and limits are those of CreateFunction and Invoke (AWS Lambda API reference).
"""

from __future__ import annotations

import io
import json
import secrets
import time
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from layercraft.aws.existing import is_missing
from layercraft.aws.explanations import code_of, explained, explaining
from layercraft.errors import AwsError, EngineError
from layercraft.verification.probe_channel import program

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from layercraft.aws.session import Clients
    from layercraft.events import Reporter
    from layercraft.target import Target

LONGEST = 900
"""Seconds that a function may run (AWS Lambda quotas)."""
LEAST_MEMORY, MOST_MEMORY = 128 << 20, 10_240 << 20
"""Bytes of memory that a function may have (AWS Lambda quotas)."""
NAME = "layercraft-verify"
_LONGEST_START = 120  # seconds
_LOGS_PATIENCE = 3  # tries; Lambda writes the log of a call some time after its answer
_MODE = 0o100644 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """What the function shall be. `memory` is in bytes, `role` the ARN of what it runs as."""

    target: Target
    layer: str
    role: str
    memory: int
    region: str

    @property
    def megabytes(self) -> int:
        """The memory as Lambda counts it, within its limits."""
        return min(max(self.memory, LEAST_MEMORY), MOST_MEMORY) >> 20


@dataclass(frozen=True, slots=True)
class TemporaryFunction:
    """The function, ready to be called."""

    name: str
    region: str
    clients: Clients

    def __call__(self, event: Mapping[str, Any]) -> tuple[dict[str, Any] | None, str]:
        """Call it once: its result, or None and what Lambda says of its end.

        Raises:
            AwsError: AWS refuses, or does not answer.
        """
        client = self.clients.functions(self.region, once=True)
        for pause in (1, 2, 4, 8, None):  # a young account may run few functions at once
            try:
                with explaining(region=self.region):
                    answer = client.invoke(FunctionName=self.name, Payload=json.dumps(event).encode())
                    payload = json.loads(answer["Payload"].read() or b"null")
                break
            except AwsError as error:
                if pause is None or code_of(error.__cause__ or error) != "TooManyRequestsException":
                    raise
                time.sleep(pause)
        if answer.get("FunctionError") or not isinstance(payload, dict) or "out" not in payload:
            told = payload if isinstance(payload, dict) else {}
            return None, str(told.get("errorMessage") or "the function ended without an answer")
        return payload, ""


@contextmanager
def created(
    blueprint: Blueprint, clients: Clients, reporter: Reporter, *, pause: float = 1.0
) -> Generator[TemporaryFunction]:
    """Create the function and wait until it can be called; remove it with its log group afterwards.

    `pause` are seconds between two looks for the log group.

    Raises:
        AwsError: AWS refuses.
        EngineError: the function does not become ready.
    """
    region = blueprint.region
    name = f"{NAME}-{secrets.token_hex(4)}"
    reporter.notice(f"creating the function {name} in {region}, which is removed afterwards")
    try:
        with explaining(region=region):
            _create(name, blueprint, clients)
        yield TemporaryFunction(name, region, clients)
    finally:
        _remove(name, region, clients, reporter, pause)


def _create(name: str, blueprint: Blueprint, clients: Clients) -> None:
    client = clients.functions(blueprint.region)
    client.create_function(
        FunctionName=name,
        Runtime=blueprint.target.runtime.name,  # type: ignore[arg-type] # a text of AWS's own list
        Architectures=[blueprint.target.architecture],  # type: ignore[list-item] # as above
        Role=blueprint.role,
        Handler="probe_handler.handle",
        Code={"ZipFile": _code()},
        Layers=[blueprint.layer],
        Timeout=LONGEST,
        MemorySize=blueprint.megabytes,
        Description="made by layercraft verify, and removed when it ends",
    )
    for _ in range(_LONGEST_START):
        told = client.get_function_configuration(FunctionName=name)
        if told.get("State", "Active") == "Active":
            return
        if told["State"] == "Failed":
            break
        time.sleep(1)
    reason = told.get("StateReason") or f"it is not ready after {_LONGEST_START} seconds"
    raise EngineError(f"the function {name} does not become ready: {reason}")


def _code() -> bytes:
    """Give the function's zip: the handler and the probe."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for filename, package in (
            ("probe_handler.py", "layercraft.aws"),
            ("probe.py", "layercraft.verification"),
        ):
            info = zipfile.ZipInfo(filename)
            info.create_system, info.external_attr = 3, _MODE
            archive.writestr(info, program(filename, package), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _remove(name: str, region: str, clients: Clients, reporter: Reporter, pause: float) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        with suppress(clients.functions(region).exceptions.ResourceNotFoundException):
            clients.functions(region).delete_function(FunctionName=name)
    except (ClientError, BotoCoreError) as error:
        reporter.warning(f"the function {name} in {region} could not be removed: {explained(error).message}")
    for attempt in range(_LOGS_PATIENCE):
        try:
            clients.logs(region).delete_log_group(logGroupName=f"/aws/lambda/{name}")
        except (ClientError, BotoCoreError) as error:
            if not is_missing(error):
                why = explained(error).message
                reporter.warning(f"the log group /aws/lambda/{name} could not be removed: {why}")
                return
            if attempt + 1 < _LOGS_PATIENCE:
                time.sleep(pause)
        else:
            return
