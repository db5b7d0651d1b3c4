"""`layercraft publish` as people run it, against a local AWS."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest
from published_layers import built, large

if TYPE_CHECKING:
    from command_line import CommandLine
    from local_aws import LocalAws
    from local_index import LocalIndex

ARN = "arn:aws:lambda:eu-west-1:123456789012:layer:plain_3_13_x86_64"


def test_a_small_zip_goes_straight_in_the_request(cloud: CommandLine, aws: LocalAws) -> None:
    path = built(cloud, "plain")
    ran = cloud.must("publish", path)
    assert ran.out == f"eu-west-1  published  {ARN}:1\n"
    version = aws.client("lambda").get_layer_version(LayerName="plain_3_13_x86_64", VersionNumber=1)
    sha256 = hashlib.sha256(path.read_bytes()).digest()
    assert version["Content"]["CodeSha256"] == base64.b64encode(sha256).decode()
    assert version["CompatibleRuntimes"] == ["python3.13"]
    assert version["CompatibleArchitectures"] == ["x86_64"]
    assert version["Description"] == f"plain 1.1; sha256 {sha256.hex()[:16]}"
    assert aws.count("PutObject") == 0


def test_a_large_zip_goes_through_s3_in_parts_and_leaves_no_object(
    cloud: CommandLine, aws: LocalAws, index: LocalIndex
) -> None:
    path = built(cloud, large(index))
    bucket = aws.bucket("layers")
    ran = cloud.must("publish", path, "-b", bucket)
    assert "eu-west-1  published  " in ran.out
    assert aws.count("UploadPart") == 7
    assert aws.objects(bucket) == []
    (version,) = aws.versions("large_3_13_x86_64")
    assert version["Version"] == 1


def test_a_large_zip_without_a_bucket_is_one_clear_line(
    cloud: CommandLine, aws: LocalAws, index: LocalIndex
) -> None:
    path = built(cloud, large(index))
    ran = cloud("publish", path)
    assert ran.code == 2
    assert ran.lines == [
        f"error: {path} has 53.0 MB, too much for one request to Lambda",
        "hint: name a bucket in the layer's region with --bucket; the object is removed afterwards",
    ]
    assert aws.count("PublishLayerVersion") == 0


def test_the_same_bytes_are_never_published_twice(cloud: CommandLine, aws: LocalAws) -> None:
    path = built(cloud, "plain")
    cloud.must("publish", path)
    assert cloud.must("publish", path).out == f"eu-west-1  unchanged  {ARN}:1\n"
    assert len(aws.versions("plain_3_13_x86_64")) == 1
    assert cloud.must("publish", path, "--force").out == f"eu-west-1  published  {ARN}:2\n"


def test_a_dry_run_changes_nothing(cloud: CommandLine, aws: LocalAws) -> None:
    path = built(cloud, "plain")
    ran = cloud.must("publish", path, "--dry-run", "--public", "--retain", "1", "--region", "us-east-1")
    assert ran.out == "us-east-1  would be published  plain_3_13_x86_64, through the request itself\n"
    assert "note: us-east-1: everyone would be allowed to use it" in ran.err
    assert [call for call in aws.calls if call.changes] == []


def test_json_tells_all_in_one_document(cloud: CommandLine) -> None:
    path = built(cloud, "plain")
    (layer,) = cloud.must("publish", path, "--json").document["layers"]
    assert layer["versions"] == [
        {
            "region": "eu-west-1",
            "action": "published",
            "arn": f"{ARN}:1",
            "version": 1,
            "through": "request",
            "granted": [],
            "deleted": [],
        }
    ]
    assert (layer["layer_name"], layer["failures"]) == ("plain_3_13_x86_64", [])


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--layer-name", "zope.interface"], "'zope.interface' cannot name a layer"),
        (["--region", "eu-west-11"], "--region eu-west-11: no region that this boto3 knows"),
        (["--account", "12"], "--account 12: no such id is given by AWS"),
        (["--organization", "r-1234"], "--organization r-1234: no such id is given by AWS"),
        (["--profile", "nobody"], "there is no AWS profile of this name"),
        (["--retain", "0"], "Invalid value for '--retain'"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_asked(
    cloud: CommandLine, aws: LocalAws, arguments: list[str], line: str
) -> None:
    path = built(cloud, "plain")
    ran = cloud("publish", path, *arguments)
    assert ran.code == 2
    assert line in ran.lines[0]
    assert aws.calls == []


def test_without_a_region_the_way_to_name_one_is_told(cloud: CommandLine) -> None:
    path = built(cloud, "plain")
    del cloud.environment["AWS_DEFAULT_REGION"]
    ran = cloud("publish", path)
    assert (ran.code, ran.lines[0]) == (2, "error: no AWS region is configured")


def test_without_credentials_the_way_to_get_some_is_told(cloud: CommandLine) -> None:
    path = built(cloud, "plain")
    del cloud.environment["AWS_ACCESS_KEY_ID"], cloud.environment["AWS_SECRET_ACCESS_KEY"]
    ran = cloud("publish", path)
    assert (ran.code, ran.lines[0]) == (1, "error: eu-west-1: there are no AWS credentials")
    assert "aws sso login" in ran.lines[1]
