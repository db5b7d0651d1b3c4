"""A published layer version brought here: its zip, and what AWS tells of it."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layercraft.aws.explanations import explaining
from layercraft.errors import AwsError, HashMismatchError, IndexUnreachableError, UsageError
from layercraft.layer.output import replacing
from layercraft.target import Target

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from layercraft.aws.session import Clients
    from layercraft.events import Reporter
    from layercraft.host.client import Client

_ARN = re.compile(
    r"arn:[\w-]+:lambda:(?P<region>[\w-]+):\d{12}:layer:(?P<name>[\w-]{1,140}):(?P<version>\d+)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A version's zip, and the targets that it is marked for; there may be none."""

    arn: str
    region: str
    zip: Path
    targets: tuple[Target, ...]

    @property
    def target(self) -> Target | None:
        """The newest runtime that it is marked for; None where there is no mark."""
        return max(self.targets, key=lambda each: each.runtime.version, default=None)


def fetch_version(arn: str, folder: Path, clients: Clients, client: Client, *, reporter: Reporter) -> Fetched:
    """Bring the zip of a layer version into `folder`; its sha256 is compared with what AWS tells.

    Raises:
        UsageError: the text is no ARN of a layer's version.
        AwsError: AWS refuses, or does not answer.
        HashMismatchError: other bytes arrived.
        OutputError: the file cannot be written.
    """
    match = _ARN.fullmatch(arn)
    if match is None:
        raise UsageError(
            f"{arn}: no ARN of a layer's version",
            hint="one is like arn:aws:lambda:eu-west-1:123456789012:layer:NAME:7",
        )
    with explaining(region=match["region"]):
        told = clients.functions(match["region"]).get_layer_version_by_arn(Arn=arn)
    path = folder / f"{match['name']}_{match['version']}.zip"
    digest = hashlib.sha256()
    content = told["Content"]
    try:
        with (
            replacing(path) as temporary,
            temporary.open("wb") as file,
            client.stream(content["Location"]) as pieces,
            reporter.progress(f"fetching {arn}", content["CodeSize"], "bytes") as progress,
        ):
            for piece in pieces:
                digest.update(piece)
                progress.advance(file.write(piece))
    except IndexUnreachableError as error:
        raise AwsError(f"{arn} cannot be fetched: {error.message}", hint=error.hint) from error
    if base64.b64encode(digest.digest()).decode() != content["CodeSha256"]:
        raise HashMismatchError(f"{arn}: other bytes arrived than those that AWS tells the sha256 of")
    runtimes = told.get("CompatibleRuntimes", ())
    return Fetched(
        arn=arn,
        region=match["region"],
        zip=path,
        targets=_targets(runtimes, told.get("CompatibleArchitectures") or ["x86_64"]),
    )


def _targets(runtimes: Sequence[str], architectures: Sequence[str]) -> tuple[Target, ...]:
    """Give the Python targets; a layer without a mark for an architecture is for x86_64, as it once was."""
    return tuple(
        Target.parse(runtime, architecture)
        for runtime in runtimes
        if runtime.startswith("python3.") and int(runtime[len("python3.") :]) >= 8  # noqa: PLR2004 (the first known)
        for architecture in architectures
    )
