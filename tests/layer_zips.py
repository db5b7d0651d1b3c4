"""Layers made to measure: zips with any files in them, and what a build leaves beside its zip."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wheelhouse import record_bytes, zip_bytes

from layercraft.events import SILENT
from layercraft.layer.record import (
    BuildRecord,
    RecordedChange,
    RecordedPin,
    RecordedTarget,
    RecordedZip,
    write_build_record,
)
from layercraft.target import Target
from layercraft.verification.layer import read_layer
from layercraft.verification.static import static

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from layercraft.host.cache import Cache
    from layercraft.verification.report import Outcome

TARGET = Target.parse("3.12", "x86_64")
EXTENSION = ".cpython-312-x86_64-linux-gnu.so"
PACKAGE = {"python/demo/__init__.py": b"", "python/demo/kept.py": b"x = 1\n"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerDraft:
    """A layer to be.

    Attributes:
        files: path in the zip -> bytes; a path that ends with a slash is a folder's own entry.
        removed: rule -> the paths that it took; with any, or with `pins`, a build record is written.
        pins: name, version and sha256 of the wheels that the record tells.
        modes: path -> all sixteen Unix mode bits.
        name: the zip's file name, without its suffix.
        target: what the record says that the layer is for.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    removed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    pins: Sequence[tuple[str, str, str]] = ()
    modes: Mapping[str, int] = field(default_factory=dict)
    name: str = "demo"
    target: Target = TARGET

    def write(self, folder: Path) -> Path:
        """Write the zip, and its record if there is something to tell; give the zip's path."""
        path = folder / f"{self.name}.zip"
        path.write_bytes(zip_bytes(self.files, modes=self.modes))
        if self.removed or self.pins:
            write_build_record(self._record(path), path.with_suffix(".json"))
        return path

    def outcome(self, folder: Path, cache: Cache | None = None) -> Outcome:
        """Write the layer and give what the static engine finds."""
        return static(read_layer(self.write(folder), self.target), cache, SILENT)

    def kinds(self, folder: Path) -> dict[str, str]:
        """Give the findings' subjects by their kinds."""
        return {each.kind: each.subject for each in self.outcome(folder).findings}

    def _record(self, path: Path) -> BuildRecord:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
        return BuildRecord(
            name=self.name,
            target=RecordedTarget(runtime=self.target.runtime.name, architecture=self.target.architecture),
            tool="test",
            inputs="",
            pins=tuple(
                RecordedPin(name=name, version=version, filename=f"{name}-{version}.whl", sha256=sha256)
                for name, version, sha256 in self.pins
            ),
            changes=tuple(_change(rule, paths) for rule, paths in self.removed.items()),
            zip=RecordedZip(
                filename=path.name,
                sha256="",
                size=path.stat().st_size,
                unzipped=sum(info.file_size for info in infos),
                files=len(infos),
                distributions=(),
            ),
        )


def _change(rule: str, paths: Sequence[str]) -> RecordedChange:
    source = "layers/demo/layer.toml"
    return RecordedChange(source=source, rule=rule, files=len(paths), saved=0, removed=tuple(paths))


def distribution(
    name: str, version: str, files: Mapping[str, bytes], *, tag: str = "py3-none-any"
) -> dict[str, bytes]:
    """Give the files of an installed distribution by their paths in the zip, with its metadata."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    contents = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nTag: {tag}\n".encode(),
    }
    contents[f"{info}/RECORD"] = record_bytes(contents, f"{info}/RECORD")
    return {f"python/{path}": data for path, data in contents.items()}
