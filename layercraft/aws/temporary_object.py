"""An object that lies in S3 for a while: it can be removed by the upload's thread, or from outside."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from layercraft.aws.explanations import explained

if TYPE_CHECKING:
    from collections.abc import Iterable

    from botocore.awsrequest import AWSResponse
    from types_boto3_s3 import S3Client

    from layercraft.events import Reporter


@dataclass(slots=True, kw_only=True, eq=False)
class TemporaryObject:
    """One object, from before its upload until it is removed, or kept for good where `keep` says so.

    `sent` tells that all of it is there, `settled` that its own thread has nothing left to do, and
    `stays` that a warning has told where it, or parts of it, may be left.
    """

    s3: S3Client
    bucket: str
    key: str
    region: str
    keep: bool
    reporter: Reporter
    sent: bool = False
    settled: bool = False
    stays: bool = False
    _upload: str = ""  # AWS's id of the multipart upload, where there is one

    def __post_init__(self) -> None:
        """Listen for what boto3 says of parts: when they are begun, and when they cannot be removed."""
        events = self.s3.meta.events
        events.register("after-call.s3.CreateMultipartUpload", self._note_upload)
        events.register("after-call.s3.AbortMultipartUpload", self._judge_abort)
        events.register("after-call-error.s3.AbortMultipartUpload", self._warn_of_parts)

    @property
    def address(self) -> str:
        """Where it lies."""
        return f"s3://{self.bucket}/{self.key}"

    def settle(self) -> None:
        """Remove it, or tell that it is kept; a warning tells where it lies when it cannot be removed."""
        from botocore.exceptions import BotoCoreError, ClientError

        if self.sent and self.keep:
            self.reporter.notice(f"the object is kept at {self.address}")
        else:
            try:
                self.s3.delete_object(Bucket=self.bucket, Key=self.key)
            except (BotoCoreError, ClientError) as error:
                if self.sent:  # else it is probably not there
                    why = explained(error, region=self.region, bucket=self.bucket).message
                    self.warn(f"{self.address} could not be removed: {why}")
        self.settled = True

    def settle_from_outside(self) -> None:
        """Do the same while its own thread still waits for AWS, and remove its parts.

        What S3 had not answered may take effect later, so a warning names an object that was not sent.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        if self._upload and not self.sent:
            with suppress(BotoCoreError, ClientError):  # the events' listeners tell of it
                self.s3.abort_multipart_upload(Bucket=self.bucket, Key=self.key, UploadId=self._upload)
        self.settle()
        if not self.sent and not self.stays:
            self.warn(f"{self.address} may be left, or parts of it: S3 did not answer")

    def warn(self, text: str) -> None:
        """Tell of what stays."""
        self.stays = True
        self.reporter.warning(text)

    def _note_upload(self, parsed: dict[str, Any], **_: object) -> None:
        self._upload = parsed.get("UploadId", "")

    def _judge_abort(self, http_response: AWSResponse, **_: object) -> None:
        if http_response.status_code not in {HTTPStatus.NO_CONTENT, HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
            self._warn_of_parts()

    def _warn_of_parts(self, **_: object) -> None:
        self.warn(f"parts of an upload are left at {self.address}: AbortMultipartUpload failed")


def settle_all(objects: Iterable[TemporaryObject], patience: float) -> bool:
    """Remove what other threads have begun and cannot remove, for AWS keeps them waiting.

    This takes at most `patience` seconds, less on Ctrl-C. Give whether something may stay: warnings
    have told where.
    """
    begun = list(objects)
    pool = ThreadPoolExecutor(thread_name_prefix="layercraft-tidying")
    running = {pool.submit(each.settle_from_outside): each for each in begun if not each.settled}
    pool.shutdown(wait=False)
    with suppress(KeyboardInterrupt):
        wait(running, patience)
    for future, each in running.items():
        if not future.done():
            each.warn(f"{each.address} may be left: S3 does not answer")
    return any(each.stays for each in begun)
