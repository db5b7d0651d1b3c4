"""The proxy in front of ministack: reads which operation is asked for, refuses it or passes it on."""

from __future__ import annotations

import http.client
import re
import socket
import struct
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_refusals import Refusal

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


class Proxy(ThreadingHTTPServer):
    """Listens on a port of its own, and passes on to the port `behind`.

    `judge` is asked for each call and its body, and gives what it is refused with, or None.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, behind: int, judge: Callable[[Call, bytes], Refusal | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = behind
        self.judge = judge

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients of tests go away as they please."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def _answer(self) -> None:
        body = self._body()
        call = self._call(len(body))
        refusal = self.server.judge(call, body)
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
