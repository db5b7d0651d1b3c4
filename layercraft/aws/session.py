"""AWS as the user has configured it: boto3's own chain of profiles, credentials and regions.

boto3 is loaded when the first client is made, and nowhere else in layercraft.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Literal, cast

from layercraft.errors import UsageError
from layercraft.spelling import suggestion

if TYPE_CHECKING:
    import boto3
    from types_boto3_lambda import LambdaClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_s3 import S3Client

Service = Literal["lambda", "logs", "s3"]

CONNECT_TIMEOUT = 10
"""Seconds until a host that does not answer counts as out of reach."""
READ_TIMEOUT = 60
"""Seconds without a byte until an answer counts as lost."""
LONG_READ_TIMEOUT = 960
"""The same for what AWS works on before it answers: it unpacks a layer, and a function may run 900 s."""
ATTEMPTS = 5
"""How often boto3 asks at most, where asking twice does no harm."""


@dataclass(frozen=True, slots=True)
class Clients:
    """boto3's clients, made once for each service and region; may be used from any thread.

    `endpoint` is the address of another AWS than Amazon's, where AWS_ENDPOINT_URL does not name it.
    """

    session: boto3.Session
    endpoint: str | None = None
    _made: dict[tuple[Service, str, bool], object] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def functions(self, region: str, *, once: bool = False) -> LambdaClient:
        """Give the client of AWS Lambda; with `once`, it asks one time only, and waits long."""
        return cast("LambdaClient", self._client("lambda", region, once=once))

    def objects(self, region: str) -> S3Client:
        """Give a client of Amazon S3 of one's own, whose events one may listen to."""
        return cast("S3Client", self._new("s3", region))

    def logs(self, region: str) -> CloudWatchLogsClient:
        """Give the client of CloudWatch Logs."""
        return cast("CloudWatchLogsClient", self._client("logs", region))

    @property
    def region(self) -> str:
        """The region that is configured.

        Raises:
            UsageError: none is.
        """
        if not self.session.region_name:
            raise UsageError(
                "no AWS region is configured",
                hint="name one with --region, in AWS_DEFAULT_REGION, or with `aws configure`",
            )
        return self.session.region_name

    def regions(self) -> tuple[str, ...]:
        """Give all regions that have AWS Lambda, in the partition of the configured one (else `aws`).

        Raises:
            UsageError: the configured one is none.
        """
        from layercraft.aws.explanations import explaining

        with explaining():
            partition = self.session.get_partition_for_region(self.session.region_name or "us-east-1")
        return tuple(sorted(self.session.get_available_regions("lambda", partition)))

    def known(self, region: str) -> str:
        """Give the region back, if it is one.

        Raises:
            UsageError: it is none; the message names the nearest.
        """
        session = self.session
        every = [
            name
            for partition in session.get_available_partitions()
            for name in session.get_available_regions("lambda", partition)
        ]
        if region in every:
            return region
        raise UsageError(
            f"--region {region}: no region that this boto3 knows{suggestion(region, every)}",
            hint="a region that is newer needs a newer boto3",
        )

    def _client(self, service: Service, region: str, *, once: bool = False) -> object:
        key = (service, region, once)
        if key not in self._made:
            self._made[key] = self._new(service, region, once=once)
        return self._made[key]

    def _new(self, service: Service, region: str, *, once: bool = False) -> object:
        from botocore.config import Config

        config = Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=LONG_READ_TIMEOUT if once else READ_TIMEOUT,
            tcp_keepalive=True,
            retries={"mode": "standard", "total_max_attempts": 1 if once else ATTEMPTS},
            user_agent_extra="layercraft",
        )
        with self._lock:  # boto3's session may be used by one thread at a time, its clients by many
            return self.session.client(service, region_name=region, endpoint_url=self.endpoint, config=config)


def open_clients(profile: str | None = None) -> Clients:
    """Read the user's AWS configuration; nothing is asked yet.

    Raises:
        UsageError: there is no such profile.
        AwsError: the configuration cannot be read.
    """
    import boto3
    from botocore.exceptions import BotoCoreError

    from layercraft.aws.explanations import explained

    try:
        return Clients(boto3.Session(profile_name=profile))
    except BotoCoreError as error:
        raise explained(error) from error
