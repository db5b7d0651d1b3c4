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
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from aws_refusals import REFUSALS, Refusal

from layercraft.aws.session import Clients

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

REGION = "eu-west-1"
ACCOUNT = "123456789012"
REQUEST_LIMIT = 70_167_211  # bytes of a whole request to Lambda, as AWS told in 2024
_PATIENCE = 20.0  # seconds that ministack may take to start
_SCOPE = re.compile(r"Credential=[^/]+/\d+/([\w-]+)/(\w+)/aws4_request")
_HOP = {"connection", "transfer-encoding", "keep-alive", "expect", "content-length"}

# Method, path and a parameter of the query -> the operation's name in AWS's API.
_OPERATIONS = (
    ("lambda", "POST", r"/[\d-]+/layers/[^/]+/versions/?", "", "PublishLayerVersion"),
    ("lambda", "GET", r"/[\d-]+/layers/[^/]+/versions/?", "", "ListLayerVersions"),
    ("lambda", "GET", r"/[\d-]+/layers/[^/]+/versions/\d+", "", "GetLayerVersion"),
    ("lambda", "DELETE", r"/[\d-]+/layers/[^/]+/versions/\d+", "", "DeleteLayerVersion"),
    ("lambda", "POST", r"/[\d-]+/layers/[^/]+/versions/\d+/policy", "", "AddLayerVersionPermission"),
    ("lambda", "GET", r"/[\d-]+/layers/[^/]+/versions/\d+/policy", "", "GetLayerVersionPolicy"),
    ("lambda", "GET", r"/[\d-]+/layers", "find", "GetLayerVersionByArn"),
    ("lambda", "GET", r"/[\d-]+/account-settings/?", "", "GetAccountSettings"),
    ("lambda", "POST", r"/[\d-]+/functions/?", "", "CreateFunction"),
    ("lambda", "GET", r"/[\d-]+/functions/[^/]+", "", "GetFunction"),
    ("lambda", "GET", r"/[\d-]+/functions/[^/]+/configuration", "", "GetFunctionConfiguration"),
    ("lambda", "DELETE", r"/[\d-]+/functions/[^/]+", "", "DeleteFunction"),
    ("lambda", "POST", r"/[\d-]+/functions/[^/]+/invocations", "", "Invoke"),
    ("s3", "PUT", r"/[^/]+/?", "", "CreateBucket"),
    ("s3", "POST", r"/[^/]+/.+", "uploads", "CreateMultipartUpload"),
    ("s3", "POST", r"/[^/]+/.+", "uploadId", "CompleteMultipartUpload"),
    ("s3", "DELETE", r"/[^/]+/.+", "uploadId", "AbortMultipartUpload"),
    ("s3", "PUT", r"/[^/]+/.+", "partNumber", "UploadPart"),
    ("s3", "PUT", r"/[^/]+/.+", "", "PutObject"),
    ("s3", "DELETE", r"/[^/]+/.+", "", "DeleteObject"),
)
_LAMBDA_READS = ("List", "Get", "Head")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request: the operation as AWS names it, or method and path where the table has none."""

    service: str
    region: str
    operation: str
    path: str
    size: int

    @property
    def changes(self) -> bool:
        """Whether it is there to change something."""
        return not self.operation.startswith(_LAMBDA_READS)


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
        self._server = _Server(("127.0.0.1", 0), self)
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

    def refusal_of(self, call: Call, body: bytes) -> Refusal | None:
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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], aws: LocalAws) -> None:
        super().__init__(address, _Handler)
        self.aws = aws

    @property
    def behind(self) -> int:
        return self.aws._port  # noqa: SLF001 (one thing in two classes)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients of tests go away as they please."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _answer(self) -> None:
        body = self._body()
        call = self._call(len(body))
        aws = self.server.aws
        refusal = aws.refusal_of(call, body)
        aws.held(call)
        if refusal and refusal.drop != "after":
            self._refuse(refusal, call)
            return
        status, headers, answer = self._forwarded(body)
        if refusal:
            self._refuse(refusal, call)
        else:
            self._send(status, headers, answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer  # noqa: N815 (the names are the protocol's)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name there)
        """Say nothing."""

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(pieces)

    def _call(self, size: int) -> Call:
        scope = _SCOPE.search(self.headers.get("authorization", ""))
        region, service = scope.groups() if scope else ("", "")
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        known = (
            operation
            for name, method, path, key, operation in _OPERATIONS
            if (name, method) == (service, self.command) and (not key or key in query)
            if re.fullmatch(path, parts.path)
        )
        target = self.headers.get("x-amz-target", "").rpartition(".")[2]  # of services that speak JSON 1.1
        operation = target or next(known, f"{self.command} {parts.path}")
        return Call(service=service, region=region, operation=operation, path=unquote(parts.path), size=size)

    def _forwarded(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=300)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        try:
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _refuse(self, refusal: Refusal, call: Call) -> None:
        if refusal.drop:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        bucket = call.path.split("/")[1] if call.service == "s3" else "bucket"
        kind, body = refusal.body(call.service, bucket=bucket, region=call.region, operation=call.operation)
        self._send(refusal.status, [("Content-Type", kind), ("x-amzn-ErrorType", refusal.code)], body)

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _HOP:
                self.send_header(name, value)
        length = next((value for name, value in headers if name.lower() == "content-length"), None)
        self.send_header("Content-Length", (length or "0") if self.command == "HEAD" else str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
