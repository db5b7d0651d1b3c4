"""A zip as a temporary object in S3, which is gone when the block ends, however it ends."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from layercraft.aws.explanations import explained, explaining
from layercraft.errors import InterruptionError

if TYPE_CHECKING:
    from collections.abc import Generator
    from threading import Event

    from botocore.awsrequest import AWSResponse
    from types_boto3_s3 import S3Client

    from layercraft.aws.layer_version import Draft
    from layercraft.events import Progress, Reporter

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
def uploaded(  # noqa: PLR0913 (what goes where, and who is told)
    s3: S3Client, layer: Draft, place: Place, region: str, advance: Advance, *, reporter: Reporter
) -> Generator[tuple[str, str]]:
    """Upload the zip and give bucket and key; the object is removed when the block ends.

    Parts of an upload that breaks off are removed too. Where `advance` is to stop meanwhile, the upload
    ends with InterruptionError. When object or parts cannot be removed, a warning tells where they lie.

    Raises:
        AwsError: S3 refuses, or does not answer.
    """
    bucket, key = place.in_region(region), place.key(layer)
    sent = False
    _tell_of_parts(s3, f"s3://{bucket}/{key}", reporter)
    try:
        _send(s3, layer, bucket, key, place.part_size, advance, region)
        sent = True
        yield bucket, key
    finally:
        if sent and place.keep:
            reporter.notice(f"the object is kept at s3://{bucket}/{key}")
        else:
            _remove(s3, bucket, key, region, reporter if sent else None)


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


def _send(  # noqa: PLR0913, PLR0917 (as above)
    s3: S3Client, layer: Draft, bucket: str, key: str, part_size: int, advance: Advance, region: str
) -> None:
    from boto3.s3.transfer import TransferConfig

    config = TransferConfig(multipart_threshold=part_size, multipart_chunksize=part_size, max_concurrency=4)
    for operation in ("PutObject", "UploadPart"):
        # boto3 would take what ends a request for a broken connection, and try again.
        s3.meta.events.register_first(f"needs-retry.s3.{operation}", advance.check)
    with explaining(region=region, bucket=bucket):
        s3.upload_file(str(layer.zip), bucket, key, Callback=advance, Config=config)


def _tell_of_parts(s3: S3Client, address: str, reporter: Reporter) -> None:
    """Warn when boto3 cannot remove the parts of an upload that broke off, of which it says nothing."""

    def warn(**_: object) -> None:
        reporter.warning(f"parts of an upload are left at {address}: AbortMultipartUpload failed")

    def judge(http_response: AWSResponse, **_: object) -> None:
        if http_response.status_code not in {HTTPStatus.NO_CONTENT, HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
            warn()

    s3.meta.events.register("after-call.s3.AbortMultipartUpload", judge)
    s3.meta.events.register("after-call-error.s3.AbortMultipartUpload", warn)


def _remove(s3: S3Client, bucket: str, key: str, region: str, reporter: Reporter | None) -> None:
    """Remove the object; without a reporter, it is probably not there, and nobody is told of a failure."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        s3.delete_object(Bucket=bucket, Key=key)
    except (BotoCoreError, ClientError) as error:
        if reporter:
            why = explained(error, region=region, bucket=bucket).message
            reporter.warning(f"s3://{bucket}/{key} could not be removed: {why}")
