"""A package index on the loopback, with faults on demand and a list of what it was asked.

    with LocalIndex(wheels=[WheelDraft(name="six"), path, ("a-1.0.tar.gz", b"...")]) as index:
        index.fail("/files/", status=503, times=1)
        client.get(f"{index.url}/simple/six/")
        assert index.count("/simple/six/") == 1

It speaks the JSON API of PyPI (`/pypi/NAME/json`), Simple JSON (PEP 691, `/simple/NAME/`) with
metadata files (PEP 658), and serves `/files/FILENAME` with ranges. Links are relative.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import socket
import ssl
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import unquote, urlsplit

from index_pages import Hostable, Hosted, json_page, simple_page, to_hosted
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
_PIECE = 1 << 16  # bytes sent between two pauses of a slow answer


@dataclass(kw_only=True)
class Fault:
    """What goes wrong with requests whose path begins with `prefix`: `times` times, or always."""

    prefix: str
    times: int | None = None
    status: int = 0
    """Answer this instead."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent besides the usual ones, such as Retry-After or Location."""
    body: bytes | None = None
    """Sent instead of the right one, such as no JSON."""
    flip: bool = False
    """Change the body's last byte."""
    cut: int | None = None
    """Close the connection after so many bytes of the body, which Content-Length tells in full."""
    reset: bool = False
    """Close it with RST instead of FIN; without `cut`, before any byte is answered."""
    delay: float = 0
    """Seconds before the answer."""
    pace: float = 0
    """Seconds after each 64 KiB of the body."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked. Keys of `headers` are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]


@dataclass(kw_only=True)
class Reply:
    """What is answered."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


NO_FAULT = Fault(prefix="")


class LocalIndex:
    """The index: open while its context lasts. Attributes may be changed between requests.

    Attributes:
        url: the address of the root, without a slash at the end.
        requests: what was asked so far.
        apis: which of the two APIs are spoken; the other answers 404.
        metadata: PEP 658 files are "answered", "broken" (advertised, then 404) or "absent".
        ranges: whether Range is understood.
        etags: whether answers carry ETag, and If-None-Match is understood.
        last_modified: the date that answers carry, and If-Modified-Since must equal.
        cache_control: the header that pages carry.
        releases: whether the JSON API gives `releases`.
    """

    def __init__(
        self,
        *,
        wheels: Iterable[Hostable] = (),
        certificate: Path | None = None,
    ) -> None:
        self.files = {file.filename: file for file in map(to_hosted, wheels)}
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.apis: set[str] = {"json", "simple"}
        self.metadata: Literal["answered", "broken", "absent"] = "answered"
        self.ranges = True
        self.etags = True
        self.last_modified = ""
        self.cache_control = ""
        self.releases = True
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def add(self, *wheels: Hostable) -> None:
        """Host more files."""
        self.files |= {file.filename: file for file in map(to_hosted, wheels)}

    def fail(self, prefix: str, **fault: Any) -> None:  # noqa: ANN401 (the fields of Fault)
        """Answer wrongly from now on; see Fault. The first fault that fits is taken."""
        self.faults.append(Fault(prefix=prefix, **fault))

    def count(self, prefix: str = "/") -> int:
        """How many requests had a path that begins so."""
        return sum(request.path.startswith(prefix) for request in self.requests)

    def forget(self) -> None:
        """Forget all requests and faults."""
        self.requests.clear()
        self.faults.clear()

    def take_fault(self, request: Request) -> Fault:
        """Note a request, and use up the first fault that fits it."""
        with self._lock:
            self.requests.append(request)
            for fault in self.faults:
                if request.path.startswith(fault.prefix) and fault.times != 0:
                    fault.times = None if fault.times is None else fault.times - 1
                    return fault
        return NO_FAULT

    def answer(self, request: Request) -> Reply:
        """Give the right answer."""
        if match := re.fullmatch(r"/files/([^/]+?)(\.metadata)?", request.path):
            return self._file(match[1], request, wants_metadata=match[2] is not None)
        for api, pattern in (("json", r"/pypi/([^/]+)/json"), ("simple", r"/simple/([^/]+)/")):
            match = re.fullmatch(pattern, request.path)
            files = [
                file for file in self.files.values() if match and file.name == canonicalize_name(match[1])
            ]
            if files and api in self.apis:
                return self._page(api, sorted(files, key=lambda file: file.version), request)
        return Reply(status=404, body=b"not here")

    def _file(self, filename: str, request: Request, *, wants_metadata: bool) -> Reply:
        file = self.files.get(unquote(filename))
        if file is None or (wants_metadata and self.metadata != "answered"):
            return Reply(status=404, body=b"not here")
        body = (file.metadata() or b"") if wants_metadata else file.data
        reply = self._conditional(Reply(body=body), request)
        span = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
        if self.ranges and reply.status == HTTPStatus.OK and span:
            return _ranged(reply, span[1], span[2])
        return reply

    def _page(self, api: str, files: list[Hosted], request: Request) -> Reply:
        mark = self.metadata != "absent"
        page = (
            json_page(files, mark=mark, releases=self.releases)
            if api == "json"
            else simple_page(files, mark=mark)
        )
        kind = "application/json" if api == "json" else SIMPLE_JSON
        reply = Reply(body=json.dumps(page).encode(), headers={"content-type": kind})
        if self.cache_control:
            reply.headers["cache-control"] = self.cache_control
        reply = self._conditional(reply, request)
        if reply.body and "gzip" in request.headers.get("accept-encoding", ""):
            reply.body = gzip.compress(reply.body, 1)
            reply.headers["content-encoding"] = "gzip"
        return reply

    def _conditional(self, reply: Reply, request: Request) -> Reply:
        unchanged = False
        if self.etags:
            reply.headers["etag"] = f'"{hashlib.sha256(reply.body).hexdigest()}"'
            unchanged = request.headers.get("if-none-match") == reply.headers["etag"]
        if self.last_modified:
            reply.headers["last-modified"] = self.last_modified
            unchanged |= request.headers.get("if-modified-since") == self.last_modified
        return Reply(status=304, headers=reply.headers) if unchanged else reply


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], index: LocalIndex) -> None:
        self.index = index
        self.connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients hang up in the middle, that is what the tests are for."""

    def server_close(self) -> None:
        """Hang up on clients that keep their connections."""
        super().server_close()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        super().finish()
        self.server.connections.discard(self.connection)

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(method=self.command, path=urlsplit(self.path).path, headers=headers)
        fault = self.server.index.take_fault(request)
        time.sleep(fault.delay)
        if fault.reset and fault.cut is None:
            self._hang_up(with_reset=True)
            return
        reply = self.server.index.answer(request) if not fault.status else Reply(status=fault.status)
        body = reply.body if fault.body is None else fault.body
        if fault.flip:
            body = body[:-1] + bytes([body[-1] ^ 1])
        self.send_response(reply.status)
        length = {} if reply.status == HTTPStatus.NOT_MODIFIED else {"content-length": str(len(body))}
        for name, value in {**reply.headers, **fault.headers, **length}.items():
            self.send_header(name, value)
        self.end_headers()
        self._send(b"" if self.command == "HEAD" else body, fault)

    do_HEAD = do_GET  # noqa: N815 (the base class's name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Keep quiet."""

    def _send(self, body: bytes, fault: Fault) -> None:
        sent = body if fault.cut is None else body[: fault.cut]
        for start in range(0, len(sent), _PIECE) if fault.pace else ():
            self.wfile.write(sent[start : start + _PIECE])
            time.sleep(fault.pace)
        if not fault.pace:
            self.wfile.write(sent)
        if fault.cut is not None:
            self._hang_up(with_reset=fault.reset)

    def _hang_up(self, *, with_reset: bool) -> None:
        self.close_connection = True
        if with_reset:  # a close that lingers for no time sends RST
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()


def _ranged(reply: Reply, first: str, last: str) -> Reply:
    size = len(reply.body)
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start >= end:
        return Reply(status=416, headers={"content-range": f"bytes */{size}"})
    span = {"content-range": f"bytes {start}-{end - 1}/{size}"}
    return Reply(status=206, body=reply.body[start:end], headers={**reply.headers, **span})
