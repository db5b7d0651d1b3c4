"""The user's AWS account as a place to verify in: the lambda engine, and layers fetched from there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layercraft.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from layercraft.aws.download import Fetched
    from layercraft.aws.session import Clients
    from layercraft.console import Console
    from layercraft.sources import Sources
    from layercraft.verification.engines import Choice

LAMBDA = "lambda"
"""The engine's name."""

_ROLE = re.compile(r"arn:[\w-]+:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """What the command line says of AWS: what to run as, where, and as whom."""

    role: str | None
    region: str | None
    profile: str | None
    bucket: str | None

    @property
    def clients(self) -> Clients:
        """The clients of AWS, made anew."""
        from layercraft.aws.session import open_clients

        return open_clients(self.profile)

    def fetched(self, arn: str, folder: Path, opened: Sources, console: Console) -> Fetched:
        """Bring a layer version's zip here."""
        from layercraft.aws.download import fetch_version

        return fetch_version(arn, folder, self.clients, opened.client, reporter=console)

    def choice(self, fetched: Fetched | None = None, arn: str | None = None) -> Choice:
        """Give the lambda engine, for a version that is there, or for a zip.

        Raises:
            UsageError: no role is named, or no region, or what is named is none.
        """
        from layercraft.aws.lambda_engine import LambdaEngine
        from layercraft.aws.publish_options import PublishOptions
        from layercraft.verification.engines import Choice

        arn = fetched.arn if fetched else arn
        if self.role is None or not _ROLE.fullmatch(self.role):
            wrong = (
                f"--role {self.role}: no ARN of a role" if self.role else "the lambda engine needs a --role"
            )
            raise UsageError(
                wrong,
                hint="name one that lambda.amazonaws.com may assume; it needs no permissions: "
                "arn:aws:iam::123456789012:role/NAME",
            )
        clients = self.clients
        there = arn.split(":")[3] if arn else clients.known(self.region) if self.region else clients.region
        engine = LambdaEngine(
            clients=clients,
            region=there,
            role=self.role,
            arn=arn,
            options=PublishOptions(bucket=self.bucket),
        )
        return Choice(engine=engine, why=f"{engine.name}: {engine.description}, as asked")
