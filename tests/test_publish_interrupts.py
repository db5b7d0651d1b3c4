"""Ctrl-C while a layer is published: soon over, and no object is left in the bucket."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
from published_layers import built, large

if TYPE_CHECKING:
    from aws_proxy import Call
    from command_line import CommandLine
    from local_aws import LocalAws
    from local_index import LocalIndex

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")

SOON = 5  # seconds


@pytest.mark.parametrize("operation", ["UploadPart", "PublishLayerVersion"])
def test_the_object_is_gone_after_ctrl_c(
    cloud: CommandLine, aws: LocalAws, index: LocalIndex, operation: str
) -> None:
    path = built(cloud, large(index))
    bucket = aws.bucket("layers")
    reached = threading.Event()

    def hold(call: Call) -> None:
        if call.operation == operation:
            reached.set()
            time.sleep(1)  # long enough for the signal to come meanwhile

    aws.held = hold
    cloud.environment["PYTHONWARNINGS"] = "error,ignore::ResourceWarning"
    with cloud.started("publish", path, "-b", bucket) as process:
        assert reached.wait(30)
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        out, err = process.communicate(timeout=30)
        assert time.monotonic() - start < SOON
    assert process.returncode == 130, (out, err)
    assert "Traceback" not in err
    assert err.endswith("error: interrupted\nhint: nothing is half-written\n")
    assert aws.objects(bucket) == []
