"""AWS on the loopback: ministack behind a proxy that refuses what AWS refuses, and more on demand.

    with LocalAws(folder) as aws:
        aws.client("s3").create_bucket(Bucket="layers")
        aws.fail("PublishLayerVersion", "throttled", times=2)
        publish(zip, clients=..., ...)
        assert aws.count("PublishLayerVersion") == 3

ministack takes any size in the request, and objects that are not there; the proxy does not. Each
region is a world of its own. Credentials are dummies, and nothing of this machine's AWS
configuration is read: `environment` is what leads boto3 here.
"""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from aws_proxy import Call, Proxy
from aws_refusals import REFUSALS, Refusal

from layercraft.aws.session import Clients

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

REGION = "eu-west-1"
ACCOUNT = "123456789012"
REQUEST_LIMIT = 70_167_211  # bytes of a whole request to Lambda, as AWS told in 2024
_PATIENCE = 20.0  # seconds that ministack may take to start


@dataclass(kw_only=True)
class _Fault:
    operation: str
    refusal: Refusal
    region: str | None
    times: int | None


class LocalAws:
    """One AWS, started when its context is entered. `folder` is where it keeps everything.

    `request_limit` may be lowered, so that a test of what is too large need not be large; `held` is
    called with each call before it is answered, from the thread that answers.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.calls: list[Call] = []
        self.request_limit = REQUEST_LIMIT
        self.held: Callable[[Call], object] = lambda _: None
        self._more = dict(environment or {})
        self._faults: list[_Fault] = []
        self._port = _free_port()
        self._lock = threading.Lock()
        self._server = Proxy(self._port, self._judged)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address of the proxy."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """What leads boto3 here, and nowhere else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "AKIALOCAL",
            "AWS_SECRET_ACCESS_KEY": "dummy-secret",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        if self._process:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            self._process.kill()
            self._process.wait()

    def clients(self) -> Clients:
        """Give layercraft's clients, which go through the proxy."""
        return clients_of(self.url)

    def client(self, service: str, region: str = REGION) -> Any:  # noqa: ANN401 (boto3's own)
        """Give a client that goes past the proxy, for what a test prepares and looks at."""
        import boto3

        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name=region,
            endpoint_url=f"http://127.0.0.1:{self._port}",
            aws_access_key_id="AKIALOCAL",
            aws_secret_access_key="dummy",  # noqa: S106 (ministack takes any)
        )

    def fail(
        self, operation: str, refusal: str, *, region: str | None = None, times: int | None = None
    ) -> None:
        """Refuse an operation from now on, in one region or in all, `times` times or always."""
        self._faults.append(
            _Fault(operation=operation, refusal=REFUSALS[refusal], region=region, times=times)
        )

    def reset(self) -> None:
        """Forget every fault, call, layer and object."""
        self._faults.clear()
        self.calls.clear()
        self.request_limit = REQUEST_LIMIT
        self.held = lambda _: None
        self._past("POST", "/_ministack/reset")

    def count(self, operation: str, region: str | None = None) -> int:
        """Tell how often an operation was asked for."""
        return sum(call.operation == operation and region in (None, call.region) for call in list(self.calls))

    def objects(self, bucket: str, region: str = REGION) -> list[str]:
        """Give the keys of all that lies in a bucket, uploads that were begun and not ended among them."""
        s3 = self.client("s3", region)
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]
        begun = s3.list_multipart_uploads(Bucket=bucket).get("Uploads", ())
        return keys + [f"{each['Key']} (upload)" for each in begun]

    def bucket(self, name: str, region: str = REGION) -> str:
        """Make a bucket and give its name."""
        there = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self.client("s3", region).create_bucket(Bucket=name, **({} if region == "us-east-1" else there))
        return name

    def versions(self, name: str, region: str = REGION) -> list[dict[str, Any]]:
        """Give all versions of a layer, newest first."""
        listed: list[dict[str, Any]] = self.client("lambda", region).list_layer_versions(LayerName=name)[
            "LayerVersions"
        ]
        return listed

    def _judged(self, call: Call, body: bytes) -> Refusal | None:
        refusal = self._refusal_of(call, body)
        self.held(call)
        return refusal

    def _refusal_of(self, call: Call, body: bytes) -> Refusal | None:
        """Give what this call is refused with, once it was counted."""
        with self._lock:
            self.calls.append(call)
            for fault in self._faults:
                if fault.operation in (call.operation, call.service, "*") and fault.region in (
                    None,
                    call.region,
                ):
                    if fault.times is not None:
                        fault.times -= 1
                        if not fault.times:
                            self._faults.remove(fault)
                    return fault.refusal
        if call.operation == "PublishLayerVersion":
            return self._refused_layer(call, body)
        return None

    def _refused_layer(self, call: Call, body: bytes) -> Refusal | None:
        """Refuse what AWS refuses, and ministack takes."""
        import json

        if call.size > self.request_limit:
            return REFUSALS["too-large"]
        content = json.loads(body).get("Content", {})
        if "S3Bucket" not in content:
            return None
        if self._past("HEAD", f"/{content['S3Bucket']}") != http.client.OK:
            return REFUSALS["missing-bucket"]
        found = self._past("HEAD", f"/{content['S3Bucket']}/{content['S3Key']}")
        return None if found == http.client.OK else REFUSALS["missing-key"]

    def _past(self, method: str, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request(method, path)
            return connection.getresponse().status
        finally:
            connection.close()

    def _start(self) -> None:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAMBDA_"))
        }
        environment |= {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self._port),
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "STATE_DIR": str(self.folder / "state"),
            "S3_DATA_DIR": str(self.folder / "s3"),
            "SERVICES": "lambda,s3,logs,iam,sts",
            "IOT_MTLS_ENABLED": "0",
            "TMPDIR": str(self.folder),
            "LOG_LEVEL": "WARNING",
            **self._more,
        }
        with (self.folder / "ministack.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ministack"],
                env=environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _PATIENCE
        while True:
            with suppress(OSError):
                if self._past("GET", "/_ministack/health") == http.client.OK:
                    return
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "ministack.log").read_text(errors="replace"))
            time.sleep(0.05)


def clients_of(url: str) -> Clients:
    """Give layercraft's clients for the AWS at an address; no configuration of this machine is read."""
    import boto3
    import botocore.session

    core = botocore.session.Session(
        session_vars={
            "config_file": (None, "AWS_CONFIG_FILE", os.devnull, None),
            "credentials_file": (None, "AWS_SHARED_CREDENTIALS_FILE", os.devnull, None),
        }
    )
    core.set_credentials("AKIALOCAL", "dummy")
    core.set_config_variable("region", REGION)
    return Clients(boto3.Session(botocore_session=core), endpoint=url)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
