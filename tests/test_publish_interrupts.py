"""Ctrl-C while a layer is published: soon over, and no object is left in the bucket."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
from layer_zips import LayerDraft, distribution
from local_aws import ACCOUNT, REGION
from published_layers import built, large
from trees import noise

from layercraft import PublishOptions, publish
from layercraft.aws.lambda_engine import LambdaEngine
from layercraft.errors import InterruptionError
from layercraft.events import SILENT, RememberingReporter
from layercraft.verification.checks import Checks
from layercraft.verification.layer import read_layer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aws_proxy import Call
    from command_line import CommandLine
    from local_aws import LocalAws
    from local_index import LocalIndex

    from layercraft.aws.session import Clients

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")

SOON = 5  # seconds
ROLE = f"arn:aws:iam::{ACCOUNT}:role/tester"
MIB = 1 << 20
THROUGH_S3 = PublishOptions(bucket="layers", request_limit=MIB, part_size=5 * MIB, tidying=0.5)
HINT = "the warnings tell what may stay in your AWS account"


def held_at(aws: LocalAws, operation: str) -> threading.Event:
    """Hold an operation for long enough that a signal comes meanwhile; tells when it is asked for."""
    reached = threading.Event()

    def hold(call: Call) -> None:
        if call.operation == operation:
            reached.set()
            time.sleep(1)

    aws.held = hold
    return reached


@pytest.mark.parametrize(
    ("operation", "number"),
    [
        ("CreateMultipartUpload", signal.SIGINT),
        ("UploadPart", signal.SIGINT),
        ("CompleteMultipartUpload", signal.SIGTERM),
        ("PublishLayerVersion", signal.SIGTERM),
        ("DeleteObject", signal.SIGINT),
    ],
)
def test_the_object_is_gone_after_ctrl_c(
    cloud: CommandLine, aws: LocalAws, index: LocalIndex, operation: str, number: signal.Signals
) -> None:
    path = built(cloud, large(index))
    bucket = aws.bucket("layers")
    reached = held_at(aws, operation)
    cloud.environment["PYTHONWARNINGS"] = "error,ignore::ResourceWarning"
    with cloud.started("publish", path, "-b", bucket) as process:
        assert reached.wait(30)
        process.send_signal(number)
        start = time.monotonic()
        out, err = process.communicate(timeout=30)
        assert time.monotonic() - start < SOON
    assert process.returncode == 130, (out, err)
    assert "Traceback" not in err
    assert err.endswith("error: interrupted\nhint: nothing is half-written\n")
    assert aws.objects(bucket) == []


def test_a_version_that_was_to_be_tested_is_gone_after_ctrl_c(cloud: CommandLine, aws: LocalAws) -> None:
    path = built(cloud, "plain")
    reached = held_at(aws, "PublishLayerVersion")
    with cloud.started("verify", path, "--engine", "lambda", "--role", ROLE) as process:
        assert reached.wait(30)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert aws.count("PublishLayerVersion") == 1
    assert aws.client("lambda").list_layers()["Layers"] == []


class Silence:
    """An AWS that does not answer an operation until `over` is set; Ctrl-C is pressed when it is asked."""

    def __init__(self, aws: LocalAws) -> None:
        self.over = threading.Event()
        self.begun = threading.Event()
        self._aws = aws

    def at(self, operation: str) -> None:
        """Be silent from that operation on."""

        def hold(call: Call) -> None:
            if call.operation == operation:
                if not self.begun.is_set():
                    self.begun.set()
                    os.kill(os.getpid(), signal.SIGINT)
                self.over.wait(SOON)

        self._aws.held = hold

    def end(self) -> None:
        """Let AWS answer, and wait for the threads that were kept waiting."""
        self.over.set()
        for thread in threading.enumerate():
            if thread.name.startswith("layercraft-"):
                thread.join(SOON)


@pytest.fixture
def silence(aws: LocalAws) -> Iterator[Silence]:
    """Give an AWS that is silent for longer than anyone waits."""
    made = Silence(aws)
    yield made
    made.end()


@pytest.fixture(scope="module")
def zipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the zip of a layer of 11 MiB, with its build record."""
    files = distribution("demo", "1.0", {"demo.bin": noise(11 * MIB)})
    return LayerDraft(files=files, pins=[("demo", "1.0", "0" * 64)]).write(tmp_path_factory.mktemp("zip"))


def told_when_interrupted(zipped: Path, clients: Clients) -> list[str]:
    """Publish, which is interrupted while something may stay, and give the warnings."""
    reporter = RememberingReporter(SILENT)
    with pytest.raises(InterruptionError) as caught:
        publish(zipped, THROUGH_S3, clients=clients, reporter=reporter)
    assert caught.value.hint == HINT
    return reporter.warnings


def test_the_object_is_gone_though_lambda_does_not_answer(
    zipped: Path, aws: LocalAws, clients: Clients, silence: Silence
) -> None:
    bucket = aws.bucket("layers")
    silence.at("PublishLayerVersion")
    assert told_when_interrupted(zipped, clients) == [
        "eu-west-1: AWS does not answer; a version of demo may appear there all the same"
    ]
    assert not silence.over.is_set()
    assert aws.objects(bucket) == []


def test_parts_are_gone_though_s3_does_not_answer_and_the_address_is_told(
    zipped: Path, aws: LocalAws, clients: Clients, silence: Silence
) -> None:
    bucket = aws.bucket("layers")
    silence.at("CompleteMultipartUpload")
    (warning,) = told_when_interrupted(zipped, clients)
    assert warning.startswith("s3://layers/temp/demo-")
    assert warning.endswith(".zip may be left, or parts of it: S3 did not answer")
    assert aws.objects(bucket) == []


def test_an_object_that_s3_does_not_remove_is_told(
    zipped: Path, aws: LocalAws, clients: Clients, silence: Silence
) -> None:
    bucket = aws.bucket("layers")
    silence.at("DeleteObject")
    warning, _ = told_when_interrupted(zipped, clients)
    (key,) = aws.objects(bucket)
    assert warning == f"s3://layers/{key} may be left: S3 does not answer"


def test_an_object_that_may_not_be_removed_is_told(
    zipped: Path, aws: LocalAws, clients: Clients, silence: Silence
) -> None:
    bucket = aws.bucket("layers")
    aws.fail("DeleteObject", "s3-denied")
    silence.at("PublishLayerVersion")
    warning, _ = told_when_interrupted(zipped, clients)
    (key,) = aws.objects(bucket)
    assert warning.startswith(f"s3://layers/{key} could not be removed: eu-west-1: access denied: ")


@pytest.mark.parametrize("appears", [True, False])
def test_a_version_to_be_tested_that_comes_late_is_removed_or_named(
    zipped: Path, aws: LocalAws, clients: Clients, silence: Silence, *, appears: bool
) -> None:
    silence.at("PublishLayerVersion")
    hold = aws.held

    def end_before_a_look(call: Call) -> None:
        if appears and call.operation == "ListLayerVersions" and silence.begun.is_set():
            silence.end()
            assert aws.client("lambda").list_layers()["Layers"]
        hold(call)

    aws.held = end_before_a_look
    reporter = RememberingReporter(SILENT)
    options = PublishOptions(tidying=0.5)
    engine = LambdaEngine(clients=clients, region=REGION, role=ROLE, options=options)
    with pytest.raises(InterruptionError) as caught:
        engine.verify(read_layer(zipped), Checks(imports=("demo",)), reporter)
    assert caught.value.hint == HINT
    silence.end()
    late = [each["LayerName"] for each in aws.client("lambda").list_layers()["Layers"]]
    assert len(late) == (0 if appears else 1)
    (warning,) = reporter.warnings
    assert all(f"a version of {name} may appear there" in warning for name in late)
