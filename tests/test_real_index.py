"""The main job against the real index: a few layers, and what goes wrong with real packages."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from command_line import CommandLine
    from local_aws import LocalAws

pytestmark = pytest.mark.network


def layer(online: CommandLine, *arguments: str) -> dict[str, Any]:
    (built,) = online.must("build", *arguments, "--json").document["layers"]
    return dict(built)


def test_jinja_is_built(online: CommandLine) -> None:
    built = layer(online, "jinja")
    assert {pin["name"] for pin in built["build"]["pins"]} == {"jinja2", "markupsafe"}
    with zipfile.ZipFile(online.outputs / "jinja_3_13_x86_64.zip") as reader:
        assert reader.testzip() is None
        found = reader.namelist()
    assert "python/jinja2/__init__.py" in found
    assert "python/markupsafe/_speedups.cpython-313-x86_64-linux-gnu.so" in found


def test_sqlite_utils_is_built_for_arm64(online: CommandLine) -> None:
    built = layer(online, "sqlite_utils", "-r", "3.12", "-a", "arm64")
    names = {pin["name"] for pin in built["build"]["pins"]}
    assert {"sqlite-utils", "click", "sqlite-fts4"} <= names
    assert "pip" not in names
    assert online.made()[-1] == "sqlite_utils_3_12_arm64.zip"


def test_the_older_glibc_of_python3_11_is_heeded(online: CommandLine) -> None:
    ran = online.must("lock", "--require", "lightgbm", "--require", "pandas", "-r", "3.11", "--json")
    (locked,) = ran.document["locks"]
    pins = {pin["name"]: pin["version"] for pin in locked["pins"]}
    assert pins["numpy"] == "2.2.6"
    assert "numpy" in {passed["name"] for passed in locked["passed_over"]}


def test_a_plan_for_sklearn_is_its_later_build_to_the_byte(online: CommandLine) -> None:
    (planned,) = online.must("plan", "sklearn", "--json").document["plans"]
    assert 0 < planned["fetched"] < 0.02 * planned["wheels"]
    built = layer(online, "sklearn", "--no-check")
    assert planned["bounds"] == []
    assert planned["sizes"]["unzipped"] == built["sizes"]["unzipped"]
    assert planned["changes"] == built["build"]["changes"]


@pytest.mark.parametrize(
    ("require", "reason"),
    [
        ("layercraft-knows-no-such-package", "the index has no package of this name"),
        ("pyspark==3.5.0", "only a source distribution, no wheel"),
    ],
)
def test_what_cannot_be_built_is_told(online: CommandLine, require: str, reason: str) -> None:
    ran = online("build", "--require", require)
    assert (ran.code, ran.out) == (1, "")
    assert reason in ran.err
    assert online.made() == []


def test_scikit_learn_is_built_and_published_through_s3_in_one(online: CommandLine, aws: LocalAws) -> None:
    online.environment |= aws.environment
    bucket = aws.bucket("layers")
    ran = online.must("build", "sklearn", "-p", "-b", bucket)
    arn = "arn:aws:lambda:eu-west-1:123456789012:layer:sklearn_3_13_x86_64:1"
    assert f"eu-west-1  published  {arn}" in ran.out
    assert aws.count("UploadPart") > 5
    assert aws.objects(bucket) == []
    version = aws.client("lambda").get_layer_version_by_arn(Arn=arn)
    zipped = (online.outputs / "sklearn_3_13_x86_64.zip").stat().st_size
    assert (version["Content"]["CodeSize"], version["CompatibleRuntimes"]) == (zipped, ["python3.13"])
    assert version["Description"].startswith("scipy ")
    again = online.must("publish", "outputs/sklearn_3_13_x86_64.zip", "-b", bucket)
    assert again.out == f"eu-west-1  unchanged  {arn}\n"
