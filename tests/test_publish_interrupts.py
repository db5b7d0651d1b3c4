"""Ctrl-C while a layer is published: soon over, and no object is left in the bucket."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
from local_aws import ACCOUNT
from published_layers import built, large

if TYPE_CHECKING:
    from aws_proxy import Call
    from command_line import CommandLine
    from local_aws import LocalAws
    from local_index import LocalIndex

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")

SOON = 5  # seconds
ROLE = f"arn:aws:iam::{ACCOUNT}:role/tester"


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
