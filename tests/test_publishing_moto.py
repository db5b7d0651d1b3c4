"""A second opinion on what AWS answers: moto's server, which shares no line with ministack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from layer_zips import LayerDraft, distribution
from local_aws import clients_of
from moto.server import ThreadedMotoServer
from trees import noise

from layercraft import PublishOptions, publish

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """Start moto's server and give its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_direct_and_through_s3_moto_sees_the_same_layer(tmp_path: Path, moto: str) -> None:
    clients = clients_of(moto)
    files = distribution("demo", "1.0", {"demo.bin": noise(6 << 20)})
    path = LayerDraft(files=files, pins=[("demo", "1.0", "")]).write(tmp_path)
    s3 = clients.objects("eu-west-1")
    s3.create_bucket(Bucket="layers", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    (direct,) = publish(path, name="direct", clients=clients).versions
    through = PublishOptions(bucket="layers", request_limit=1000, part_size=5 << 20)
    (indirect,) = publish(path, through, name="indirect", clients=clients).versions
    told = [
        clients.functions("eu-west-1").get_layer_version(LayerName=name, VersionNumber=1)
        for name in ("direct", "indirect")
    ]
    assert told[0]["Content"]["CodeSha256"] == told[1]["Content"]["CodeSha256"]
    assert [each["CompatibleRuntimes"] for each in told] == [["python3.12"], ["python3.12"]]
    assert (direct.through, indirect.through[:10]) == ("request", "s3://layer")
    assert s3.list_objects_v2(Bucket="layers")["KeyCount"] == 0
    assert publish(path, name="direct", clients=clients).versions[0].action == "unchanged"
