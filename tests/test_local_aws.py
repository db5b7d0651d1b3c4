"""The local AWS of the tests refuses what AWS refuses, and ministack alone does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from wheelhouse import zip_bytes

if TYPE_CHECKING:
    from local_aws import LocalAws

    from layercraft.aws.session import Clients

ZIP = zip_bytes({"python/x.py": b""})


def refusal(clients: Clients, content: dict[str, Any]) -> tuple[int, str, str]:
    """Publish, which must be refused, and give status, code and message."""
    with pytest.raises(ClientError) as caught:
        clients.functions("eu-west-1", once=True).publish_layer_version(
            LayerName="demo",
            Content=content,  # type: ignore[arg-type] # one of the two forms
        )
    told = caught.value.response
    return (
        told["ResponseMetadata"]["HTTPStatusCode"],
        str(told["Error"]["Code"]),
        str(told["Error"]["Message"]),
    )


def test_a_request_that_is_too_large(aws: LocalAws, clients: Clients) -> None:
    aws.request_limit = 100
    status, code, message = refusal(clients, {"ZipFile": ZIP})
    assert (status, code) == (413, "RequestEntityTooLargeException")
    assert message == "Request must be smaller than 70167211 bytes for the PublishLayerVersion operation"


@pytest.mark.parametrize(("made", "code"), [(True, "NoSuchKey"), (False, "NoSuchBucket")])
def test_an_object_that_is_not_there(aws: LocalAws, clients: Clients, *, made: bool, code: str) -> None:
    if made:
        aws.bucket("layers")
    status, kind, message = refusal(clients, {"S3Bucket": "layers", "S3Key": "nothing.zip"})
    assert (status, kind) == (400, "InvalidParameterValueException")
    assert message.startswith(f"Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: ")


def test_what_is_no_zip(aws: LocalAws, clients: Clients) -> None:
    status, code, message = refusal(clients, {"ZipFile": b"no zip"})
    assert (status, code) == (400, "InvalidParameterValueException")
    assert message.startswith("Could not unzip uploaded file.")
    assert aws.versions("demo") == []


def test_each_region_is_a_world_of_its_own(aws: LocalAws, clients: Clients) -> None:
    clients.functions("eu-west-1").publish_layer_version(LayerName="demo", Content={"ZipFile": ZIP})
    assert [len(aws.versions("demo", region)) for region in ("eu-west-1", "us-east-1")] == [1, 0]
