"""The build record: what went into a zip, what was changed and why, kept as JSON beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from layercraft.errors import UsageError, reason_of
from layercraft.layer.change import Reason
from layercraft.layer.output import replacing
from layercraft.layer.sizes import Share  # noqa: TC001 (msgspec reads the annotations)
from layercraft.layer.zipped import ZippedSizes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from layercraft.layer.archive import Archive
    from layercraft.layer.change import Change
    from layercraft.resolution.left_out import LeftOut
    from layercraft.resolution.pins import Pin
    from layercraft.target import Target

SCHEMA = 1
"""Raised when a reader of the older form would misread the newer one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTarget:
    """The target by the names that `Target.parse` takes: `python3.13`, `arm64`."""

    runtime: str
    architecture: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedPin:
    """One wheel that went in. `url` is empty for a wheel of the local disk."""

    name: str
    version: str
    filename: str
    sha256: str
    url: str = ""

    @classmethod
    def of(cls, pin: Pin) -> Self:
        """Write down a locked wheel."""
        return cls(
            name=pin.name, version=pin.version, filename=pin.filename, sha256=pin.sha256, url=pin.url or ""
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedLeftOut:
    """One locked wheel that did not go in. `guard` is "runtime" where Lambda brings it itself, or "gpu".

    `packed` are the bytes of the wheel, None where the lock does not tell.
    """

    name: str
    version: str
    filename: str
    sha256: str
    guard: str
    why: str
    packed: int | None = None
    url: str = ""

    @classmethod
    def of(cls, left: LeftOut) -> Self:
        """Write down what was left out."""
        pin = left.pin
        return cls(
            name=pin.name,
            version=pin.version,
            filename=pin.filename,
            sha256=pin.sha256,
            guard=left.guard,
            why=left.why,
            packed=pin.size,
            url=pin.url or "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedChange:
    """One change: who asked for it, how many files it touched, the bytes that it saved.

    `saved` are unzipped bytes, `saved_zipped` those of the zip, headers included; None in records of
    layercraft 0.1.0, which did not tell. `removed` holds the paths that went, so that a failing
    import can be traced to its rule.
    """

    source: str
    rule: str
    files: int
    saved: int
    saved_zipped: int | None = None
    removed: tuple[str, ...] = ()

    @classmethod
    def of(cls, change: Change, zipped: ZippedSizes) -> Self:
        """Write down a change; `zipped` tells what its files take in the zip."""
        return cls(
            source=change.reason.source,
            rule=change.reason.rule,
            files=change.files,
            saved=change.saved,
            saved_zipped=change.saved_by(zipped),
            removed=tuple(entry.path for entry in change.removed),
        )

    def __str__(self) -> str:
        return str(Reason(source=self.source, rule=self.rule))


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedZip:
    """The zip: its file name, sha256, and bytes zipped and unzipped."""

    filename: str
    sha256: str
    size: int
    unzipped: int
    files: int
    distributions: tuple[Share, ...]

    @classmethod
    def of(cls, archive: Archive) -> Self:
        """Write down a zip."""
        sizes = archive.sizes
        return cls(
            filename=archive.path.name,
            sha256=archive.sha256,
            size=archive.size,
            unzipped=sizes.unzipped,
            files=len(archive.members),
            distributions=sizes.top("distribution"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRecord:
    """All that is known of one build.

    `changes` are those of the build, and a last line for files that were packed smaller without one.
    `pins` are the wheels that went in, `left_out` locked ones that did not, `donors` those of which only
    single files did, `requested` the names that users asked for; empty in records of older versions.
    `license` is what the recipe says of the layer as a whole, empty where it says nothing.
    `tool` is layercraft's version, `inputs` the digest of everything that decides the zip's bytes.
    It holds neither a date nor a path of the machine, so the same build gives the same record.
    """

    name: str
    target: RecordedTarget
    tool: str
    inputs: str
    pins: tuple[RecordedPin, ...]
    changes: tuple[RecordedChange, ...]
    zip: RecordedZip
    warnings: tuple[str, ...] = ()
    left_out: tuple[RecordedLeftOut, ...] = ()
    requested: tuple[str, ...] = ()
    donors: tuple[RecordedPin, ...] = ()
    license: str = ""
    schema: int = SCHEMA

    @classmethod
    def of(  # noqa: PLR0913 (all that a build knows of itself)
        cls,
        *,
        name: str,
        target: Target,
        tool: str,
        inputs: str,
        pins: Iterable[Pin],
        requested: Iterable[str],
        left_out: Iterable[LeftOut] = (),
        donors: Iterable[Pin] = (),
        license: str = "",  # noqa: A002 (as layer.toml and AWS call it)
        changes: Sequence[Change],
        archive: Archive,
        warnings: Iterable[str],
    ) -> Self:
        """Write down a build; the last of its changes holds the tree that was zipped."""
        zipped = ZippedSizes.of(changes[-1].tree, archive.members)
        return cls(
            name=name,
            target=RecordedTarget(runtime=target.runtime.name, architecture=target.architecture),
            tool=tool,
            inputs=inputs,
            pins=tuple(RecordedPin.of(pin) for pin in pins),
            changes=(
                *(RecordedChange.of(change, zipped) for change in changes),
                *_deflated_anew(changes, zipped),
            ),
            zip=RecordedZip.of(archive),
            warnings=tuple(warnings),
            left_out=tuple(map(RecordedLeftOut.of, left_out)),
            requested=tuple(requested),
            donors=tuple(map(RecordedPin.of, donors)),
            license=license,
        )


def _deflated_anew(changes: Sequence[Change], zipped: ZippedSizes) -> Iterator[RecordedChange]:
    """Give a line for what was packed smaller than its wheel had it, so that all lines add up to the zip."""
    files, saved = zipped.deflated_anew(changes)
    if files:
        yield RecordedChange(
            source="layercraft", rule="deflated anew", files=files, saved=0, saved_zipped=saved
        )


def write_build_record(record: BuildRecord, path: Path) -> None:
    """Write a record as JSON, in place of an older one, never by halves.

    Raises:
        OutputError: the file cannot be written.
    """
    import msgspec

    data = msgspec.json.format(msgspec.json.encode(record), indent=2)
    with replacing(path) as temporary:
        temporary.write_bytes(data + b"\n")


def read_build_record(path: Path) -> BuildRecord:
    """Read a record that `write_build_record` wrote. Keys that are not known are passed over.

    Raises:
        UsageError: the file is missing, is no record, or is one of a newer layercraft.
    """
    import msgspec

    try:
        data = path.read_bytes()
        schema = msgspec.json.decode(data, type=dict[str, object]).get("schema")
        if schema == SCHEMA:
            return msgspec.json.decode(data, type=BuildRecord)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {reason_of(error)}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no build record: {error}") from error
    if isinstance(schema, int) and schema > SCHEMA:
        raise UsageError(
            f"{path} was written by a newer layercraft (schema {schema})",
            hint="upgrade layercraft to read it",
        )
    raise UsageError(f"{path} is no build record: it has no schema that is known")
