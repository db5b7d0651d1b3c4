"""Publishing as a library, against a local AWS that refuses what AWS refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import EndpointConnectionError, HTTPClientError
from layer_zips import LayerDraft, distribution
from trees import noise

from layercraft import PublishOptions, publish
from layercraft.aws.explanations import explained
from layercraft.errors import AwsError, CredentialsError, LayercraftError, LayerTooLargeError, UsageError
from layercraft.events import SILENT, RememberingReporter

if TYPE_CHECKING:
    from pathlib import Path

    from local_aws import LocalAws

    from layercraft.aws.layer_version import LayerVersion
    from layercraft.aws.session import Clients

REGIONS = ("eu-west-1", "eu-central-1", "us-east-1")
MIB = 1 << 20


@pytest.fixture(scope="module")
def zipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the zip of a layer of 11 MiB, with its build record."""
    files = distribution("demo", "1.0", {"demo.bin": noise(11 * MIB)})
    return LayerDraft(files=files, pins=[("demo", "1.0", "0" * 64)]).write(tmp_path_factory.mktemp("zip"))


def options(**wishes: Any) -> PublishOptions:  # noqa: ANN401 (the fields of the class)
    """Give options by which a zip goes through S3 in parts of 5 MiB, and nobody waits long."""
    return PublishOptions(
        **{"bucket": "layers", "request_limit": MIB, "part_size": 5 * MIB, "pause": 0.05, **wishes}
    )


def one(zipped: Path, clients: Clients, **wishes: Any) -> LayerVersion:  # noqa: ANN401 (as above)
    """Publish in the one region and give the version."""
    (version,) = publish(zipped, options(**wishes), clients=clients).versions
    return version


def refused(zipped: Path, clients: Clients, **wishes: Any) -> LayercraftError:  # noqa: ANN401 (as above)
    """Publish, which must fail, and give the error."""
    with pytest.raises(LayercraftError) as caught:
        publish(zipped, options(**wishes), clients=clients)
    return caught.value


def test_three_regions_at_once_and_one_that_fails(zipped: Path, aws: LocalAws, clients: Clients) -> None:
    for region in REGIONS:
        aws.bucket(f"layers-{region}", region)
    aws.fail("PublishLayerVersion", "denied", region="eu-central-1")
    done = publish(zipped, options(bucket="layers-{region}"), regions=REGIONS, clients=clients)
    assert [each.region for each in done.versions] == ["eu-west-1", "us-east-1"]
    (failure,) = done.failures
    assert failure.region == "eu-central-1"
    assert failure.error.message == (
        "access denied: lambda:PublishLayerVersion is not allowed on "
        "arn:aws:lambda:eu-central-1:123456789012:layer:x"
    )
    assert [len(aws.versions("demo", region)) for region in REGIONS] == [1, 0, 1]
    assert [aws.objects(f"layers-{region}", region) for region in REGIONS] == [[], [], []]


def test_all_are_the_regions_of_the_partition(zipped: Path, aws: LocalAws, clients: Clients) -> None:
    done = publish(zipped, options(dry_run=True), regions=["all"], clients=clients)
    regions = [each.region for each in done.versions]
    assert set(REGIONS) < set(regions)
    assert not any(region.startswith(("cn-", "us-gov-")) for region in regions)
    assert aws.count("ListLayerVersions") == len(regions)


def test_the_object_is_gone_after_success(zipped: Path, aws: LocalAws, clients: Clients) -> None:
    bucket = aws.bucket("layers")
    version = one(zipped, clients)
    assert version.through.startswith("s3://layers/temp/demo-")
    assert aws.count("UploadPart") == 3
    assert aws.objects(bucket) == []


def test_the_object_stays_where_that_is_wanted(zipped: Path, aws: LocalAws, clients: Clients) -> None:
    bucket = aws.bucket("layers")
    version = one(zipped, clients, keep_object=True, prefix="kept/")
    (key,) = aws.objects(bucket)
    assert version.through == f"s3://layers/{key}"
    assert key.startswith("kept/demo-")


def test_parts_that_cannot_be_removed_are_told_of(zipped: Path, aws: LocalAws, clients: Clients) -> None:
    bucket = aws.bucket("layers")
    aws.fail("UploadPart", "s3-denied")
    aws.fail("AbortMultipartUpload", "s3-denied")
    reporter = RememberingReporter(SILENT)
    with pytest.raises(AwsError):
        publish(zipped, options(), clients=clients, reporter=reporter)
    (key,) = aws.objects(bucket)
    address = f"s3://layers/{key.removesuffix(' (upload)')}"
    assert reporter.warnings == [f"parts of an upload are left at {address}: AbortMultipartUpload failed"]


# Case, what is asked when it happens, the error and its words; the messages of AWS are in aws_refusals.py.
REFUSED = [
    ("unzipped-size", "PublishLayerVersion", LayerTooLargeError, "unzipped than the 262144000 bytes"),
    ("not-a-zip", "PublishLayerVersion", AwsError, "Lambda cannot unzip the file"),
    ("expired", "PublishLayerVersion", CredentialsError, "the AWS credentials have expired"),
    ("expired", "ListLayerVersions", CredentialsError, "the AWS credentials have expired"),
    ("not-enabled", "ListLayerVersions", CredentialsError, "does not know these credentials in eu-west-1"),
    ("denied", "ListLayerVersions", AwsError, "access denied: lambda:ListLayerVersions is not allowed on"),
    ("signature", "ListLayerVersions", CredentialsError, "the secret access key does not belong"),
    ("clock", "ListLayerVersions", CredentialsError, "this machine's clock is wrong"),
    ("throttled", "PublishLayerVersion", AwsError, "keeps saying that it is asked too often"),
    ("internal", "PublishLayerVersion", AwsError, "AWS failed in eu-west-1"),
    ("missing-key", "PublishLayerVersion", AwsError, "no longer in the bucket layers"),
    ("missing-bucket", "PublishLayerVersion", AwsError, "there is no bucket layers"),
    ("unreadable-object", "PublishLayerVersion", AwsError, "Lambda reads the object with your credentials"),
    ("elsewhere", "PublishLayerVersion", AwsError, "the bucket layers is in eu-central-1"),
    ("too-large", "PublishLayerVersion", AwsError, "too large for one request to Lambda"),
    ("s3-no-bucket", "CreateMultipartUpload", AwsError, "there is no bucket layers"),
    ("s3-denied", "CreateMultipartUpload", AwsError, "access denied: s3:"),
    ("s3-denied", "UploadPart", AwsError, "access denied: s3:"),
    ("s3-expired", "UploadPart", CredentialsError, "the AWS credentials have expired"),
]


@pytest.mark.parametrize(("case", "operation", "kind", "words"), REFUSED)
def test_what_aws_refuses_is_one_line_and_leaves_no_object(  # noqa: PLR0913, PLR0917 (a row of the table)
    zipped: Path, aws: LocalAws, clients: Clients, case: str, operation: str, kind: type, words: str
) -> None:
    bucket = aws.bucket("layers")
    aws.fail(operation, case)
    error = refused(zipped, clients)
    assert type(error) is kind
    assert words in error.message
    assert "\n" not in error.message
    assert error.hint
    assert "TOPSECRET" not in f"{error.message}{error.hint}"
    assert aws.objects(bucket) == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (HTTPClientError(error=ValueError("Invalid header value b'TOPSECRET\\nmore'")), "of one line?"),
        (EndpointConnectionError(endpoint_url="https://me:TOPSECRET@aws.test/x"), '"https://aws.test/x"'),
    ],
)
def test_what_boto3_quotes_tells_no_secret(error: Exception, words: str) -> None:
    told = explained(error, region="eu-west-1")
    assert words in told.message
    assert "TOPSECRET" not in f"{told.message}{told.hint}"


def test_a_full_account_is_told_with_its_figures(zipped: Path, aws: LocalAws, clients: Clients) -> None:
    aws.bucket("layers")
    aws.fail("PublishLayerVersion", "quota")
    error = refused(zipped, clients)
    assert "storage for functions and layers in eu-west-1 is full: " in error.message
    assert error.message.endswith(" of 75.0 GB are used, and this layer has 11.0 MB")


def test_a_throttled_request_is_asked_again(zipped: Path, aws: LocalAws, clients: Clients) -> None:
    aws.bucket("layers")
    aws.fail("PublishLayerVersion", "throttled", times=2)
    assert one(zipped, clients).version == 1
    assert aws.count("PublishLayerVersion") == 3


def test_a_broken_connection_is_tried_again(zipped: Path, aws: LocalAws, clients: Clients) -> None:
    bucket = aws.bucket("layers")
    aws.fail("UploadPart", "broken", times=1)
    aws.fail("PublishLayerVersion", "broken", times=1)
    assert one(zipped, clients).version == 1
    assert aws.objects(bucket) == []


def test_a_lost_answer_publishes_nothing_twice(zipped: Path, aws: LocalAws, clients: Clients) -> None:
    aws.bucket("layers")
    aws.fail("PublishLayerVersion", "answer-lost", times=1)
    version = one(zipped, clients)
    assert (version.action, version.version) == ("published", 1)
    assert aws.count("PublishLayerVersion") == 1
    assert len(aws.versions("demo")) == 1


def test_a_host_that_breaks_every_connection_is_told(zipped: Path, aws: LocalAws, clients: Clients) -> None:
    aws.bucket("layers")
    aws.fail("PublishLayerVersion", "broken")
    error = refused(zipped, clients)
    assert error.message.startswith("AWS in eu-west-1 cannot be reached, or the connection broke")


def test_a_request_that_is_too_large_after_all_goes_through_s3(
    zipped: Path, aws: LocalAws, clients: Clients
) -> None:
    bucket = aws.bucket("layers")
    aws.request_limit = 4 * MIB
    version = one(zipped, clients, request_limit=20 * MIB)
    assert version.through.startswith("s3://")
    assert aws.objects(bucket) == []
    assert refused(zipped, clients, request_limit=20 * MIB, bucket=None, force=True).hint == (
        "name a bucket with --bucket: it goes through S3 then"
    )


def test_a_bucket_that_is_not_there_is_no_traceback(zipped: Path, aws: LocalAws, clients: Clients) -> None:
    error = refused(zipped, clients, bucket="nobody")
    assert error.message == "eu-west-1: there is no bucket nobody"
    assert error.hint == "create it in eu-west-1: `aws s3 mb s3://nobody --region eu-west-1`"
    assert aws.count("PublishLayerVersion") == 0


def test_a_bucket_of_another_region_is_told(zipped: Path, aws: LocalAws, clients: Clients) -> None:
    aws.bucket("layers", "eu-central-1")
    error = refused(zipped, clients)
    assert "bucket layers is in" in error.message
    assert error.hint == "name one bucket for each region: --bucket 'my-layers-{region}'"


def test_other_bytes_or_another_target_make_a_new_version(
    tmp_path: Path, aws: LocalAws, clients: Clients
) -> None:
    paths = []
    for version in ("1.0", "2.0"):
        folder = tmp_path / version
        folder.mkdir()
        files = distribution("demo", version, {"demo.py": b"x = 1\n"})
        paths.append(LayerDraft(files=files, pins=[("demo", version, "")]).write(folder))
    plain = PublishOptions()
    actions = [
        publish(path, plain, clients=clients).versions[0].action for path in (paths[0], paths[1], paths[1])
    ]
    assert actions == ["published", "published", "unchanged"]
    assert [each["Version"] for each in aws.versions("demo")] == [2, 1]
    # An older version with the same bytes is not what functions would get from "the newest".
    assert publish(paths[0], plain, clients=clients).versions[0].version == 3


def test_grants_are_given_once_each(tmp_path: Path, aws: LocalAws, clients: Clients) -> None:
    path = _small(tmp_path)
    wishes = PublishOptions(public=True, accounts=("210987654321",), organizations=("o-abcde12345",))
    (version,) = publish(path, wishes, clients=clients).versions
    assert version.granted == ("everyone", "210987654321", "o-abcde12345")
    (again,) = publish(path, wishes, clients=clients).versions
    assert (again.action, again.granted) == ("unchanged", ())
    policy = aws.client("lambda").get_layer_version_policy(LayerName="demo", VersionNumber=1)["Policy"]
    for words in ('"layercraft-public"', '"layercraft-210987654321"', "o-abcde12345", "GetLayerVersion"):
        assert words in policy


def test_a_version_that_cannot_be_shared_is_told_all_the_same(
    tmp_path: Path, aws: LocalAws, clients: Clients
) -> None:
    aws.fail("AddLayerVersionPermission", "denied")
    with pytest.raises(AwsError) as caught:
        publish(_small(tmp_path), PublishOptions(public=True), clients=clients)
    assert caught.value.message.startswith(
        "arn:aws:lambda:eu-west-1:123456789012:layer:demo:1 is there, but access denied: "
    )


def test_older_versions_go_after_the_new_one_is_there(
    tmp_path: Path, aws: LocalAws, clients: Clients
) -> None:
    path = _small(tmp_path)
    force = PublishOptions(force=True)
    for _ in range(3):
        publish(path, force, clients=clients)
    (planned,) = publish(path, PublishOptions(force=True, retain=2, dry_run=True), clients=clients).versions
    assert planned.deleted == (2, 1)
    assert len(aws.versions("demo")) == 3
    (version,) = publish(path, PublishOptions(force=True, retain=2), clients=clients).versions
    assert version.deleted == (2, 1)
    assert [each["Version"] for each in aws.versions("demo")] == [4, 3]
    operations = [call.operation for call in aws.calls]
    assert operations.index("DeleteLayerVersion") > len(operations) - 4


def test_nothing_is_deleted_where_publishing_fails(tmp_path: Path, aws: LocalAws, clients: Clients) -> None:
    path = _small(tmp_path)
    publish(path, clients=clients)
    aws.fail("PublishLayerVersion", "denied")
    with pytest.raises(AwsError):
        publish(path, PublishOptions(force=True, retain=1), clients=clients)
    assert aws.count("DeleteLayerVersion") == 0


def test_a_layer_over_the_limit_is_refused_before_it_is_sent(
    tmp_path: Path, aws: LocalAws, clients: Clients
) -> None:
    zeros = {"python/zeros.bin": bytes(262_144_001)}
    path = LayerDraft(files=zeros, pins=[("zeros", "1", "")]).write(tmp_path)
    with pytest.raises(LayerTooLargeError, match=r"250\.0 MB unzipped, over Lambda's limit"):
        publish(path, clients=clients)
    assert aws.calls == []


def test_a_zip_that_tells_no_target_needs_one(tmp_path: Path, clients: Clients) -> None:
    path = LayerDraft(files={"python/demo.py": b""}).write(tmp_path)
    with pytest.raises(UsageError, match="do not tell which Python and machine"):
        publish(path, clients=clients)


def _small(folder: Path) -> Path:
    files = distribution("demo", "1.0", {"demo.py": b"x = 1\n"})
    return LayerDraft(files=files, pins=[("demo", "1.0", "")]).write(folder)
