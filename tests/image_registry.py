"""A registry of container images on the loopback: one image for two platforms, of one file each.

It speaks as much of the OCI distribution specification as a pull needs. `asked` are the paths that
were asked for.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


class ImageRegistry:
    """The registry; `image` is what to pull, `asked` the paths of all requests."""

    def __init__(self, architectures: Sequence[str] = ("amd64", "arm64")) -> None:
        self.asked: list[str] = []
        self._blobs: dict[str, tuple[str, bytes]] = {}
        manifests = [self._manifest(architecture) for architecture in architectures]
        index = _json({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests})
        self._tagged = self._put(INDEX, index)["digest"]
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.image = f"127.0.0.1:{self._server.server_port}/lambda/python:3.12"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def find(self, path: str) -> tuple[str, bytes] | None:
        """Give type and bytes of what lies at a path."""
        self.asked.append(path)
        if path == "/v2/":
            return "application/json", b"{}"
        if path == "/v2/lambda/python/manifests/3.12":
            return self._blobs[self._tagged]
        return self._blobs.get(path.rpartition("/")[2])

    def _manifest(self, architecture: str) -> dict[str, Any]:
        layer = _layer(architecture)
        document = {
            "architecture": architecture,
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._put(CONFIG, _json(document)),
            "layers": [self._put(LAYER, layer)],
        }
        platform = {"architecture": architecture, "os": "linux"}
        return {**self._put(MANIFEST, _json(manifest)), "platform": platform}

    def _put(self, kind: str, data: bytes) -> dict[str, Any]:
        self._blobs[_digest(data)] = (kind, data)
        return {"mediaType": kind, "digest": _digest(data), "size": len(data)}


def _handler(registry: ImageRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            kind, data = registry.find(self.path) or ("", b"")
            self.send_response(200 if kind else 404)
            self.send_header("Content-Type", kind or "text/plain")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Docker-Content-Digest", _digest(data))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

        do_HEAD = do_GET  # noqa: N815 (http.server's name)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _layer(text: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("architecture")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
