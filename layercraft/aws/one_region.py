"""From a zip to a layer version in one region: once for the same bytes, and never by halves.

PublishLayerVersion makes a new version each time it is asked. So it is asked only when the newest
version is another one; and after an answer that was lost, the newest version is looked at before it
is asked again.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from layercraft.aws.existing import delete_older, newest
from layercraft.aws.explanations import code_of, explained, explaining
from layercraft.aws.grants import share
from layercraft.aws.layer_version import LayerVersion
from layercraft.aws.temporary_object import TemporaryObject
from layercraft.aws.upload import Advance, uploaded
from layercraft.errors import AwsError, InterruptionError, LayercraftError
from layercraft.layer.sizes import human_size

if TYPE_CHECKING:
    from threading import Event

    from types_boto3_lambda import LambdaClient

    from layercraft.aws.existing import Existing
    from layercraft.aws.layer_version import Draft
    from layercraft.aws.publish_options import PublishOptions
    from layercraft.aws.session import Clients
    from layercraft.events import Progress, Reporter

TRIES = 6
"""How often AWS is asked to publish, when it is too busy or the answer was lost."""

_BUSY = {"TooManyRequestsException", "ThrottlingException", "Throttling", "RequestLimitExceeded"}
_GIB = 1 << 30
_LOST = {"ServiceException", "InternalFailure", "ServiceUnavailable", "500", "502", "503", "504"}


def publish_in(  # noqa: PLR0913 (what, where, how, and who is told)
    layer: Draft,
    region: str,
    options: PublishOptions,
    clients: Clients,
    *,
    stop: Event,
    begun: list[TemporaryObject],
    reporter: Reporter,
    progress: Progress,
) -> LayerVersion:
    """Publish a layer in one region, unless its newest version is the same; then share it, then tidy up.

    `progress` counts the bytes that go to S3; where none have to, all of the zip counts as done. An
    object that lies in S3 for a while is added to `begun` before it is sent.

    Raises:
        UsageError: the zip needs a bucket, and none is named.
        AwsError: AWS refuses, or does not answer.
        InterruptionError: `stop` was set.
    """
    with explaining(region=region):
        client = clients.functions(region)
        found = newest(client, layer.name)
        done = _Publishing(layer, region, options, clients, stop, begun, reporter, progress).version(found)
        return _settled(client, layer.name, done, options)


def _settled(client: LambdaClient, name: str, done: LayerVersion, options: PublishOptions) -> LayerVersion:
    """Share the version and delete older ones; where that fails, the error tells what is there already."""
    deleted: tuple[int, ...] = ()
    try:
        with explaining(region=done.region):
            granted = share(client, name, done.version, options.grants, dry_run=options.dry_run)
            if options.retain is not None:
                deleted = delete_older(client, name, options.retain, done.version, dry_run=options.dry_run)
    except LayercraftError as error:
        if done.arn is None:
            raise
        raise type(error)(f"{done.arn} is there, but {error.message}", hint=error.hint) from error
    return replace(done, granted=granted, deleted=deleted, dry_run=options.dry_run)


@dataclass(frozen=True, slots=True)
class _Publishing:
    """One layer on its way into one region."""

    layer: Draft
    region: str
    options: PublishOptions
    clients: Clients
    stop: Event
    begun: list[TemporaryObject]
    reporter: Reporter
    progress: Progress

    def version(self, found: Existing | None) -> LayerVersion:
        if found and found.is_same(self.layer) and not self.options.force:
            self.progress.advance(self.layer.size)
            return LayerVersion(region=self.region, action="unchanged", arn=found.arn, version=found.version)
        through = self.options.through(self.layer, self.region)
        if self.options.dry_run:
            return LayerVersion(region=self.region, action="planned", arn=None, version=0, through=through)
        before = found.version if found else 0
        if through == "request":
            try:
                return self._published({"ZipFile": self.layer.zip.read_bytes()}, before, through)
            except AwsError as error:
                too_large = code_of(error.__cause__ or error) in {"RequestEntityTooLargeException", "413"}
                if not (too_large and self.options.place):
                    raise
        return self._through_s3(before)

    def _through_s3(self, before: int) -> LayerVersion:
        place = self.options.place
        assert place is not None  # noqa: S101 (PublishOptions.through has seen to it)
        there = TemporaryObject(
            s3=self.clients.objects(self.region),
            bucket=place.in_region(self.region),
            key=place.key(self.layer),
            region=self.region,
            keep=place.keep,
            reporter=self.reporter,
        )
        self.begun.append(there)
        advance = Advance(self.progress, self.stop)
        with uploaded(self.layer, place, there, advance) as (bucket, key):
            content = {"S3Bucket": bucket, "S3Key": key}
            return self._published(content, before, there.address, bucket)

    def _published(
        self, content: dict[str, Any], before: int, through: str, bucket: str = ""
    ) -> LayerVersion:
        """Ask until it is published, or refused for good; `before` is the newest version until now."""
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        client = self.clients.functions(self.region, once=True)
        for attempt in range(TRIES):
            if self.stop.is_set():
                raise InterruptionError("interrupted")
            try:
                answer = self._asked(client, content)
            except (ClientError, BotoCoreError) as error:
                code = code_of(error)
                lost = isinstance(error, HTTPClientError) or code in _LOST
                arrived = self._arrived(before) if lost else None
                if arrived:
                    return _arrived_as(arrived, self.region, through)
                if attempt + 1 == TRIES or not (lost or code in _BUSY):
                    raise self._explained(error, bucket) from error
                self.stop.wait(random.uniform(0.5, 1) * self.options.pause * 2**attempt)  # noqa: S311 (no secret)
            else:
                return LayerVersion(
                    region=self.region,
                    action="published",
                    arn=answer["LayerVersionArn"],
                    version=answer["Version"],
                    through=through,
                )
        raise AssertionError("the last try raises or returns")

    def _asked(self, client: LambdaClient, content: dict[str, Any]) -> Any:  # noqa: ANN401 (boto3's answer)
        return client.publish_layer_version(
            LayerName=self.layer.name,
            Description=self.layer.description,
            Content=content,  # type: ignore[arg-type] # one of the two forms
            CompatibleRuntimes=self.layer.runtimes,  # type: ignore[arg-type] # texts of AWS's own list
            CompatibleArchitectures=self.layer.architectures,  # type: ignore[arg-type] # as above
            LicenseInfo=self.layer.license,
        )

    def _arrived(self, before: int) -> Existing | None:
        """Give the version that was published although no answer said so."""
        found = newest(self.clients.functions(self.region), self.layer.name)
        return found if found and found.version > before and found.is_same(self.layer) else None

    def _explained(self, error: Exception, bucket: str) -> LayercraftError:
        known = explained(error, region=self.region, bucket=bucket)
        if code_of(error) != "CodeStorageExceededException":
            return known
        return type(known)(known.message + self._storage(), hint=known.hint)

    def _storage(self) -> str:
        """Tell how full the account is, where GetAccountSettings may be asked."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            told = self.clients.functions(self.region).get_account_settings()
        except (ClientError, BotoCoreError):
            return ""
        used, limit = told["AccountUsage"]["TotalCodeSize"], told["AccountLimit"]["TotalCodeSize"]
        needed = human_size(self.layer.size)
        return f": {used / _GIB:.1f} of {limit / _GIB:.1f} GB are used, and this layer has {needed}"


def _arrived_as(found: Existing, region: str, through: str) -> LayerVersion:
    """Give what was found as what was published."""
    return LayerVersion(
        region=region, action="published", arn=found.arn, version=found.version, through=through
    )
