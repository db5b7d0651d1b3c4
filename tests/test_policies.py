"""The policies of the README: they allow what layercraft asks AWS for, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layer_zips import LayerDraft, distribution
from readme_policies import POLICIES, READ_BY_LAMBDA, allowed, needed
from trees import noise

from layercraft import PublishOptions, publish
from layercraft.errors import AwsError

if TYPE_CHECKING:
    from pathlib import Path

    from local_aws import LocalAws

    from layercraft.aws.session import Clients


def test_the_policy_for_publishing_is_what_publishing_needs(
    tmp_path: Path, aws: LocalAws, clients: Clients
) -> None:
    aws.bucket("my-layers")
    files = distribution("demo", "1.0", {"demo.bin": noise(6 << 20)})
    path = LayerDraft(files=files, pins=[("demo", "1.0", "")]).write(tmp_path)
    through_s3 = PublishOptions(
        bucket="my-layers", request_limit=1000, part_size=5 << 20, public=True, retain=1, force=True
    )
    for _ in range(2):
        publish(path, through_s3, clients=clients)
    for operation, refusal in (("PublishLayerVersion", "quota"), ("UploadPart", "s3-denied")):
        aws.fail(operation, refusal, times=1)
        try:
            publish(path, through_s3, clients=clients)
        except AwsError:
            continue
    assert needed(aws.calls) | READ_BY_LAMBDA == allowed(POLICIES[0])
