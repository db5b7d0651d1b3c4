"""A folder as an image archive that `docker load` and `podman load` take.

The format is that of `docker save` (Docker Image Specification v1.2): a configuration, one layer,
and a manifest that names both.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_CREATED = "2026-01-01T00:00:00Z"
_ARCHITECTURES = {"x86_64": {"architecture": "amd64"}, "arm64": {"architecture": "arm64", "variant": "v8"}}
# As AWS's images have it.
_LIBRARY_PATH = (
    "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"
)
_CONFIG = {
    "Env": [
        "LANG=en_US.UTF-8",
        "TZ=:/etc/localtime",
        "PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        f"LD_LIBRARY_PATH={_LIBRARY_PATH}",
        "LAMBDA_TASK_ROOT=/var/task",
        "LAMBDA_RUNTIME_DIR=/var/runtime",
    ],
    "WorkingDir": "/var/task",
    "Entrypoint": ["/lambda-entrypoint.sh"],
}


def write_archive(root: Path, path: Path, name: str, architecture: str) -> None:
    """Write the folder as an image called `name` ("host/repository:tag") for Lambda's architecture."""
    with TemporaryFile() as layer:
        with tarfile.open(fileobj=layer, mode="w") as files:
            for entry in sorted(root.iterdir()):
                files.add(entry, entry.name, filter=_of_root)
        layer.seek(0)
        digest = hashlib.file_digest(layer, "sha256").hexdigest()
        config = _configuration(digest, architecture)
        config_name = f"{hashlib.sha256(config).hexdigest()}.json"
        manifest = [{"Config": config_name, "RepoTags": [name], "Layers": [f"{digest}/layer.tar"]}]
        with tarfile.open(path, "w") as archive:
            _add(archive, config_name, io.BytesIO(config))
            _add(archive, f"{digest}/layer.tar", layer)
            _add(archive, "manifest.json", io.BytesIO(json.dumps(manifest).encode()))


def _configuration(digest: str, architecture: str) -> bytes:
    document = {
        **_ARCHITECTURES[architecture],
        "os": "linux",
        "created": _CREATED,
        "config": _CONFIG,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        "history": [{"created": _CREATED, "created_by": "layercraft's tests"}],
    }
    return json.dumps(document).encode()


def _of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


def _add(archive: tarfile.TarFile, name: str, data: IO[bytes]) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = data.seek(0, io.SEEK_END)
    data.seek(0)
    archive.addfile(entry, data)
