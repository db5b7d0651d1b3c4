"""`layercraft publish` as people run it, against a local AWS."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest
from elf_files import ElfDraft
from layer_zips import LayerDraft
from published_layers import built, large
from wheelhouse import WheelDraft

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


def test_a_dry_run_of_what_is_there_says_that_it_did_nothing(cloud: CommandLine, aws: LocalAws) -> None:
    path = built(cloud, "plain")
    cloud.must("publish", path)
    cloud.must("publish", path, "--force")
    aws.calls.clear()
    ran = cloud.must("publish", path, "--dry-run", "--public", "--retain", "1", "--json")
    assert "everyone would be allowed to use it" in ran.err
    assert "older versions would be deleted: 1" in ran.err
    assert ran.document["layers"][0]["versions"][0]["dry_run"] is True
    assert [call for call in aws.calls if call.changes] == []


def test_half_a_target_leaves_the_rest_to_the_zip(cloud: CommandLine) -> None:
    path = built(cloud, "plain", runtime="3.12", arch="arm64")
    ran = cloud.must("publish", path, "-r", "3.13", "--dry-run", "--json")
    (layer,) = ran.document["layers"]
    assert (layer["runtimes"], layer["architectures"]) == (["python3.13"], ["arm64"])
    (layer,) = cloud.must("publish", path, "-a", "x86_64", "--dry-run", "--json").document["layers"]
    assert (layer["runtimes"], layer["architectures"]) == (["python3.12"], ["x86_64"])


def test_one_zip_that_fails_hides_no_other(cloud: CommandLine) -> None:
    path = built(cloud, "plain")
    cloud.write({"bad.zip": "no zip"})
    ran = cloud("publish", "bad.zip", path, "--json")
    bad, good = ran.document["layers"]
    assert ran.code == 2
    assert bad["error"]["kind"] == "UsageError"
    assert good["versions"][0]["arn"] == f"{ARN}:1"
    ran = cloud("publish", "bad.zip", path)
    assert (ran.code, ran.out) == (2, f"eu-west-1  unchanged  {ARN}:1\n")
    assert ran.lines[0].startswith("error: bad.zip cannot be read as a layer's zip")


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
            "dry_run": False,
        }
    ]
    assert (layer["layer_name"], layer["failures"]) == ("plain_3_13_x86_64", [])


def test_a_build_publishes_at_its_end(cloud: CommandLine, aws: LocalAws) -> None:
    ran = cloud.must("build", "--require", "plain", "-p", "-b", "unused", "--region", "us-east-1")
    assert ran.out.endswith(f"us-east-1  published  {ARN.replace('eu-west-1', 'us-east-1')}:1\n")
    (layer,) = cloud.must("build", "--require", "plain", "-p", "--json").document["layers"]
    (version,) = layer["publication"]["versions"]
    assert (version["region"], version["action"], layer["zip"]) == (
        "eu-west-1",
        "published",
        layer["publication"]["zip"],
    )
    assert len(aws.versions("plain_3_13_x86_64", "us-east-1")) == 1


def test_a_build_with_findings_is_not_published(cloud: CommandLine, aws: LocalAws, index: LocalIndex) -> None:
    library = ElfDraft(needed=["libnowhere.so.1"], modules=["_x"]).packed()
    files = {"odd/__init__.py": b"import odd._x\n", "odd/_x.cpython-313-x86_64-linux-gnu.so": library}
    index.add(WheelDraft(name="odd", files=files, tag="cp313-cp313-manylinux_2_17_x86_64"))
    ran = cloud("build", "--require", "odd", "-p")
    assert ran.code == 1
    assert "outputs/odd_3_13_x86_64.zip is not published: something was found in it" in ran.err
    assert aws.calls == []


def test_a_zip_with_findings_is_published_only_if_that_is_wanted(cloud: CommandLine, aws: LocalAws) -> None:
    library = ElfDraft(needed=["libnowhere.so.1"], modules=["_x"]).packed()
    module = "python/odd/_x.cpython-313-x86_64-linux-gnu.so"
    files = {"python/odd/__init__.py": b"import odd._x\n", module: library}
    path = LayerDraft(files=files, name="odd").write(cloud.folder)
    ran = cloud("publish", path)
    assert ran.code == 1
    assert f"missing-library: {module}" in ran.out
    assert f"{path} is not published: something was found in it (--no-check publishes it)" in ran.err
    (layer,) = cloud("publish", path, "--json").document["layers"]
    assert (layer["verdict"]["passed"], layer["versions"]) == (False, [])
    assert aws.calls == []
    assert "eu-west-1  published  " in cloud.must("publish", path, "--no-check").out


def test_what_is_wrong_with_aws_is_told_before_anything_is_built(cloud: CommandLine) -> None:
    del cloud.environment["AWS_DEFAULT_REGION"]
    ran = cloud("build", "--require", "plain", "-p")
    assert (ran.code, ran.lines[0]) == (2, "error: no AWS region is configured")
    assert cloud.made() == []
    ran = cloud("build", "--require", "plain", "-b", "layers")
    assert ran.code == 2
    assert ran.lines[0].startswith("error: --bucket says how to publish, and nothing is to be published")


def test_one_region_that_fails_makes_exit_1_and_stops_no_other(cloud: CommandLine, aws: LocalAws) -> None:
    path = built(cloud, "plain")
    aws.fail("PublishLayerVersion", "denied", region="us-east-1")
    ran = cloud("publish", path, "--region", "us-east-1", "--region", "eu-west-1")
    assert ran.code == 1
    assert ran.out == f"eu-west-1  published  {ARN}:1\n"
    assert ran.lines[0].startswith("error: access denied: lambda:PublishLayerVersion is not allowed on arn:")
    (layer,) = cloud("publish", path, "--region", "us-east-1", "--region", "eu-west-1", "--json").document[
        "layers"
    ]
    assert [each["region"] for each in layer["failures"]] == ["us-east-1"]
    assert layer["failures"][0]["error"]["kind"] == "AwsError"


def test_a_pure_layer_is_marked_for_all_runtimes(cloud: CommandLine, aws: LocalAws) -> None:
    path = built(cloud, "toolkit")
    cloud.must("publish", path, "--all-runtimes")
    version = aws.client("lambda").get_layer_version(LayerName="toolkit_3_13_x86_64", VersionNumber=1)
    assert {"python3.12", "python3.13", "python3.14"} <= set(version["CompatibleRuntimes"])
    assert sorted(version["CompatibleArchitectures"]) == ["arm64", "x86_64"]


@pytest.mark.parametrize(
    ("requirement", "words"),
    [
        ("native", "_speed.cpython-313-x86_64-linux-gnu.so is for one architecture"),
        ("old", "has other wheels (backport-1.0-py3-none-any.whl)"),
        ("young", "for python3.11 x86_64, young"),
    ],
)
def test_a_layer_that_differs_by_runtime_is_not_marked_for_all(
    cloud: CommandLine, aws: LocalAws, index: LocalIndex, requirement: str, words: str
) -> None:
    index.add(
        WheelDraft(name="backport"),
        WheelDraft(name="old", requires=['backport; python_version < "3.12"']),
        WheelDraft(name="young", requires_python=">=3.12"),
    )
    path = built(cloud, requirement)
    ran = cloud("publish", path, "--all-runtimes")
    assert ran.code == 2
    assert "is not the same for every runtime" in ran.lines[0]
    assert words in ran.lines[0]
    assert aws.calls == []


def test_a_program_for_one_machine_is_not_marked_for_all(cloud: CommandLine, aws: LocalAws) -> None:
    cloud.write({"layers/tool/requirements.txt": "toolkit\n"})
    cloud.write({"layers/tool/layer.toml": '[files]\n"bin/tool" = "tool"\n'})
    (cloud.folder / "layers/tool/tool").write_bytes(ElfDraft().packed())
    cloud.must("build", "tool")
    ran = cloud("publish", "outputs/tool_3_13_x86_64.zip", "--all-runtimes")
    assert ran.code == 2
    assert ran.lines[0].endswith("is not the same for every runtime: bin/tool is for one architecture")
    assert aws.calls == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--layer-name", "zope.interface"], "'zope.interface' cannot name a layer"),
        (["--region", "eu-west-11"], "--region eu-west-11: no region that this boto3 knows"),
        (["--account", "12"], "--account 12: no such id is given by AWS"),
        (["--organization", "r-1234"], "--organization r-1234: no such id is given by AWS"),
        (["--profile", "nobody"], "there is no AWS profile of this name"),
        (["--retain", "0"], "Invalid value for '--retain'"),
        (["--snippet", "pulumi"], "--snippet pulumi"),
        (["--bucket", "s3://layers/here"], "--bucket s3://layers/here: no name of a bucket"),
        (["--all-runtimes", "-r", "3.12"], "--all-runtimes cannot stand beside --runtime or --arch"),
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


@pytest.mark.parametrize(
    ("name", "value", "arguments", "words"),
    [
        ("AWS_ENDPOINT_URL", "nowhere", (), "boto3 cannot use the AWS configuration (Invalid endpoint: "),
        ("AWS_ENDPOINT_URL", "http://[::1", (), "boto3 cannot use the AWS configuration (Invalid IPv6 URL)"),
        (
            "AWS_DEFAULT_REGION",
            "local",
            ("--region", "all"),
            "boto3 refuses a value (Unknown region: 'local'",
        ),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_one_line(
    cloud: CommandLine, name: str, value: str, arguments: tuple[str, ...], words: str
) -> None:
    ran = cloud("publish", built(cloud, "plain"), *arguments, **{name: value})
    assert ran.code == 2
    assert words in ran.lines[0]


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
