"""The lambda engine the whole way: a function of the local AWS, really run in the Lambda-like image."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
from engine_fixtures import BRIDGED
from local_aws import ACCOUNT, LocalAws
from published_layers import built
from readme_policies import POLICIES, allowed, needed
from wheelhouse import WheelDraft

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_proxy import Call
    from command_line import CommandLine
    from engine_fixtures import Engines
    from local_index import LocalIndex

VERSION = "3.12"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/tester"
LAMBDA = ("--engine", "lambda", "--role", ROLE)


@pytest.fixture(scope="module")
def lambda_aws(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """Start a local AWS that runs functions in containers."""
    docker = engines(BRIDGED, VERSION)
    more = {"LAMBDA_EXECUTOR": "docker", "DOCKER_NETWORK": "bridge", **docker.environment}
    with LocalAws(tmp_path_factory.mktemp("aws"), more) as aws:
        yield aws
        for container in docker.containers():
            docker("rm", "--force", container)


@pytest.fixture
def there(layercraft: CommandLine, lambda_aws: LocalAws) -> CommandLine:
    """Give the command line of a user of that AWS, in which there is nothing yet."""
    lambda_aws.reset()
    layercraft.environment |= lambda_aws.environment
    return layercraft


def left(aws: LocalAws) -> dict[str, list[str]]:
    """Give what a verification could have left behind."""
    functions = aws.client("lambda").list_functions()["Functions"]
    layers = aws.client("lambda").list_layers()["Layers"]
    groups = aws.client("logs").describe_log_groups()["logGroups"]
    return {
        "functions": [each["FunctionName"] for each in functions],
        "layers": [each["LayerName"] for each in layers if "layercraft-verify" in each["LayerName"]],
        "groups": [each["logGroupName"] for each in groups],
    }


NOTHING: dict[str, list[str]] = {"functions": [], "layers": [], "groups": []}


@pytest.mark.engines
def test_a_zip_is_published_run_and_gone_again(there: CommandLine, lambda_aws: LocalAws) -> None:
    path = built(there, "toolkit", runtime=VERSION)
    ran = there("verify", path, *LAMBDA)
    assert ran.code == 0, ran.out + ran.err
    assert "works on python3.12 x86_64: 1 import ran, engine lambda" in ran.out
    assert "ran in a function of AWS Lambda with arn:aws:lambda:eu-west-1:" in ran.out
    assert left(lambda_aws) == NOTHING
    # iam:PassRole is asked for by CreateFunction, inside of AWS.
    beside = {"lambda:ListLayerVersions", "lambda:PublishLayerVersion", "iam:PassRole"}
    assert needed(lambda_aws.calls) | beside == allowed(POLICIES[1]) | beside


@pytest.mark.engines
def test_a_published_version_is_run_by_its_arn(there: CommandLine, lambda_aws: LocalAws) -> None:
    path = built(there, "plain", runtime=VERSION)
    (layer,) = there.must("publish", path, "--json").document["layers"]
    arn = layer["versions"][0]["arn"]
    published = lambda_aws.count("PublishLayerVersion")
    (told,) = there.must("verify", arn, *LAMBDA, "--json").document["layers"]
    assert (told["engine"], told["passed"], told["ran_imports"]) == ("lambda", True, True)
    assert [each["module"] for each in told["imports"]] == ["plain"]
    assert lambda_aws.count("PublishLayerVersion") == published
    assert left(lambda_aws) == NOTHING


@pytest.mark.engines
def test_an_import_that_fails_there_is_a_finding_and_nothing_stays(
    there: CommandLine, lambda_aws: LocalAws, index: LocalIndex
) -> None:
    text = b"import sys\nraise RuntimeError(f'no {sys.executable} at {__file__}')\n"
    index.add(WheelDraft(name="bad", files={"bad.py": text}))
    path = built(there, "bad", runtime=VERSION)
    (told,) = there("verify", path, *LAMBDA, "--json").document["layers"]
    assert [each["kind"] for each in told["findings"]] == ["import-failed"]
    # It ran in the image, not on this machine.
    assert "no /var/lang/bin/python3" in str(told["findings"])
    assert "at /opt/python/bad.py" in str(told["findings"])
    assert left(lambda_aws) == NOTHING


@pytest.mark.engines
def test_a_build_is_published_and_tested_in_one(there: CommandLine, lambda_aws: LocalAws) -> None:
    ran = there("build", "--require", "plain", "-r", VERSION, "-p", "--test", "--role", ROLE)
    assert ran.code == 0, ran.err
    assert "eu-west-1  published  arn:aws:lambda:" in ran.out
    assert "works on python3.12 x86_64: 1 import ran, engine lambda" in ran.out
    assert left(lambda_aws) == NOTHING


@pytest.mark.engines
def test_a_call_that_is_throttled_is_made_again(there: CommandLine, lambda_aws: LocalAws) -> None:
    path = built(there, "plain", runtime=VERSION)
    lambda_aws.fail("Invoke", "throttled", times=1)
    assert there("verify", path, *LAMBDA).code == 0
    assert lambda_aws.count("Invoke") == 2


@pytest.mark.engines
def test_nothing_stays_after_ctrl_c(there: CommandLine, lambda_aws: LocalAws) -> None:
    path = built(there, "plain", runtime=VERSION)
    reached = threading.Event()

    def hold(call: Call) -> None:
        if call.operation == "Invoke":
            reached.set()
            time.sleep(1)

    lambda_aws.held = hold
    there.environment["PYTHONWARNINGS"] = "error,ignore::ResourceWarning"
    with there.started("verify", path, *LAMBDA) as process:
        assert reached.wait(30)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert "Traceback" not in err
    assert left(lambda_aws) == NOTHING


@pytest.mark.parametrize(
    ("role", "words"),
    [((), "the lambda engine needs a --role"), (("--role", "me"), "--role me: no ARN of a role")],
)
def test_the_role_is_asked_for(cloud: CommandLine, role: tuple[str, ...], words: str) -> None:
    path = built(cloud, "plain")
    ran = cloud("verify", path, "--engine", "lambda", *role)
    assert (ran.code, words in ran.lines[0]) == (2, True)


def test_a_handler_is_refused_before_anything_is_made(cloud: CommandLine, aws: LocalAws) -> None:
    ran = cloud("verify", built(cloud, "plain"), *LAMBDA, "--handler", "app.py:handler")
    assert (ran.code, ran.lines[0]) == (2, "error: --handler is not called by --engine lambda")
    assert aws.calls == []


@pytest.mark.parametrize(
    ("operation", "refusal", "words"),
    [
        ("CreateFunction", "role", "Lambda may not assume the role"),
        ("CreateFunction", "denied", "access denied: lambda:CreateFunction is not allowed"),
        ("CreateFunction", "combined-size", "function and layers together have 263669938 bytes"),
        ("Invoke", "broken", "cannot be reached, or the connection broke"),
        ("GetFunctionConfiguration", "expired", "the AWS credentials have expired"),
    ],
)
def test_what_aws_refuses_is_one_line_and_nothing_stays(
    cloud: CommandLine, aws: LocalAws, operation: str, refusal: str, words: str
) -> None:
    path = built(cloud, "plain")
    aws.fail(operation, refusal)
    ran = cloud("verify", path, *LAMBDA)
    assert ran.code == 1
    assert words in ran.lines[0]
    assert left(aws) == NOTHING


def test_what_cannot_be_removed_is_named(cloud: CommandLine, aws: LocalAws) -> None:
    path = built(cloud, "plain")
    aws.fail("Invoke", "expired")
    aws.fail("DeleteFunction", "expired")
    ran = cloud("verify", path, *LAMBDA)
    (name,) = left(aws)["functions"]
    assert f"warning: the function {name} in eu-west-1 could not be removed: the AWS credentials" in ran.err
