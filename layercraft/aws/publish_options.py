"""All that can be wished of a publication, merged once and never changed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layercraft.aws.grants import read_grants
from layercraft.aws.layer_version import REQUEST_LIMIT
from layercraft.aws.upload import PART_SIZE, Place
from layercraft.errors import UsageError
from layercraft.layer.sizes import human_size

if TYPE_CHECKING:
    from layercraft.aws.grants import Grant
    from layercraft.aws.layer_version import Draft


_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")  # "General purpose bucket naming rules"

PAUSE = 1.0
"""Seconds before AWS is asked a second time where it is too busy, or the answer was lost."""
TIDYING = 20.0
"""Seconds that an interruption waits for regions to remove what they began, then for S3 to remove it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishOptions:
    """How to publish, and who may use it.

    `bucket` is where a zip goes that is too large for one request, below `prefix` and for a while
    (`keep_object`: for good); `{region}` in it stands for each region. `public`, `accounts` (12
    digits) and `organizations` (`o-...`) may use the version. `retain` is how many versions stay,
    None for all of them. `force` publishes what is there already; `dry_run` changes nothing.
    `request_limit` and `part_size` are bytes of a serialized request and of a part of an upload;
    `pause` are seconds before AWS is asked a second time, each later pause may be twice as long, and
    `tidying` those that Ctrl-C waits for AWS's answers.
    """

    bucket: str | None = None
    prefix: str = "temp/"
    keep_object: bool = False
    public: bool = False
    accounts: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()
    retain: int | None = None
    force: bool = False
    dry_run: bool = False
    request_limit: int = REQUEST_LIMIT
    part_size: int = PART_SIZE
    pause: float = PAUSE
    tidying: float = TIDYING

    def __post_init__(self) -> None:
        """Refuse what can never be.

        Raises:
            UsageError: `retain` is less than 1, the bucket has no name of a bucket, or someone has an id
                that AWS does not give.
        """
        if self.bucket is not None and not _BUCKET.fullmatch(self.bucket.replace("{region}", "eu-west-1")):
            raise UsageError(
                f"--bucket {self.bucket}: no name of a bucket",
                hint="name it without s3:// and without a folder (that is --prefix): my-layers",
            )
        if self.retain is not None and self.retain < 1:
            raise UsageError(f"--retain {self.retain}: the new version stays", hint="take 1 or more")
        _ = self.grants

    @property
    def grants(self) -> tuple[Grant, ...]:
        """The statements of who may use it."""
        return read_grants(public=self.public, accounts=self.accounts, organizations=self.organizations)

    @property
    def place(self) -> Place | None:
        """Where a large zip lies for a while."""
        if self.bucket is None:
            return None
        return Place(bucket=self.bucket, prefix=self.prefix, keep=self.keep_object, part_size=self.part_size)

    def is_direct(self, layer: Draft) -> bool:
        """Whether the zip goes in the request itself."""
        return layer.request_size < self.request_limit

    def through(self, layer: Draft, region: str) -> str:
        """Tell how the zip goes: "request", or the `s3://` address below which it lies for a while.

        Raises:
            UsageError: it is too large for a request, and no bucket is named.
        """
        if self.is_direct(layer):
            return "request"
        if self.place is None:
            raise UsageError(
                f"{layer.zip} has {human_size(layer.size)}, too much for one request to Lambda",
                hint="name a bucket in the layer's region with --bucket; the object is removed afterwards",
            )
        return f"s3://{self.place.in_region(region)}/{self.prefix}"
