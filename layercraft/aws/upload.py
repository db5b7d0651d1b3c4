"""A zip as a temporary object in S3, which is gone when the block ends, however it ends."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layercraft.aws.explanations import explaining
from layercraft.errors import InterruptionError

if TYPE_CHECKING:
    from collections.abc import Generator
    from threading import Event

    from layercraft.aws.layer_version import Draft
    from layercraft.aws.temporary_object import TemporaryObject
    from layercraft.events import Progress

PART_SIZE = 8 << 20
"""Bytes of one part; a zip that is larger goes in several, which are sent side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the object lies for a while. `part_size` is in bytes, at least 5 MiB (Amazon S3 quotas)."""

    bucket: str
    prefix: str = "temp/"
    keep: bool = False
    part_size: int = PART_SIZE

    def in_region(self, region: str) -> str:
        """Give the bucket for a region, whose name stands for `{region}` in the pattern."""
        return self.bucket.replace("{region}", region)

    def key(self, layer: Draft) -> str:
        """Give a key that no other run has."""
        return f"{self.prefix}{layer.zip.stem}-{secrets.token_hex(4)}.zip"


@contextmanager
def uploaded(
    layer: Draft, place: Place, there: TemporaryObject, advance: Advance
) -> Generator[tuple[str, str]]:
    """Upload the zip to `there` and give bucket and key; the object is removed when the block ends.

    Parts of an upload that breaks off are removed too. Where `advance` is to stop meanwhile, the upload
    ends with InterruptionError. When object or parts cannot be removed, a warning tells where they lie.

    Raises:
        AwsError: S3 refuses, or does not answer.
    """
    try:
        _send(layer, there, place.part_size, advance)
        there.sent = True
        yield there.bucket, there.key
    finally:
        there.settle()


class Advance:
    """Counts bytes for the progress, and ends the upload when it is to stop."""

    def __init__(self, progress: Progress, stop: Event) -> None:
        self._progress = progress
        self._stop = stop

    def __call__(self, amount: int) -> None:
        """Count bytes; raises what `check` raises."""
        self.check()
        self._progress.advance(amount)

    def check(self, **_: object) -> None:
        """Raise InterruptionError when it is to stop."""
        if self._stop.is_set():
            raise InterruptionError("interrupted")


def _send(layer: Draft, there: TemporaryObject, part_size: int, advance: Advance) -> None:
    from boto3.s3.transfer import TransferConfig

    config = TransferConfig(multipart_threshold=part_size, multipart_chunksize=part_size, max_concurrency=4)
    for operation in ("PutObject", "UploadPart"):
        # boto3 would take what ends a request for a broken connection, and try again.
        there.s3.meta.events.register_first(f"needs-retry.s3.{operation}", advance.check)
    with explaining(region=there.region, bucket=there.bucket):
        there.s3.upload_file(str(layer.zip), there.bucket, there.key, Callback=advance, Config=config)
