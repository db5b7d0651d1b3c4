"""RECORD, the list of a distribution's files (PEP 376, PEP 427, PEP 627): read and written."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layercraft.errors import BadWheelError

if TYPE_CHECKING:
    from collections.abc import Mapping

_COLUMNS = 3
_SPECIAL = re.compile(r'[",\r\n]')
_SIZE = re.compile(r"[0-9]{0,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What RECORD tells of one file: `hash` such as "sha256=…" ("" when none), `size` in bytes."""

    hash: str = ""
    size: int | None = None

    @classmethod
    def of(cls, data: bytes | bytearray) -> Recorded:
        """Give the line that belongs to a file with these bytes."""
        return cls.of_digest(hashlib.sha256(data).digest(), len(data))

    @classmethod
    def of_digest(cls, sha256: bytes, size: int) -> Recorded:
        """Give the line that belongs to a file of `size` bytes with this digest."""
        digest = base64.urlsafe_b64encode(sha256).rstrip(b"=")
        return cls(hash=f"sha256={digest.decode('ascii')}", size=size)


def read_record(text: bytes, *, archive: str) -> dict[str, Recorded]:
    """Give the files that a RECORD lists, path -> hash and size, in its order.

    Missing hashes and sizes are fine, as they are for RECORD itself. Of two lines for one path the
    last one counts, as for installers.

    Raises:
        BadWheelError: no UTF-8, no CSV, more than three columns, or a size that is no number. The
            message begins with `archive`.
    """
    try:
        lines = list(csv.reader(io.StringIO(text.decode("utf-8"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadWheelError(f"{archive}: RECORD cannot be read: {error}") from error
    return dict(_recorded(line, archive) for line in lines if line)


def write_record(files: Mapping[str, Recorded]) -> bytes:
    """Give the bytes of a RECORD that lists `files` in their order, with line feeds on every system."""
    lines = (
        f"{_quoted(path)},{_quoted(recorded.hash)},{'' if recorded.size is None else recorded.size}\n"
        for path, recorded in files.items()
    )
    return "".join(lines).encode()


def _quoted(field: str) -> str:
    """Quote as RFC 4180 does; csv.writer may leave carriage returns bare."""
    return '"' + field.replace('"', '""') + '"' if _SPECIAL.search(field) else field


def _recorded(line: list[str], archive: str) -> tuple[str, Recorded]:
    if len(line) > _COLUMNS:
        raise BadWheelError(f"{archive}: RECORD: {line[0]!r} has {len(line)} columns instead of 3")
    path, digest, size = (*line, "", "")[:_COLUMNS]
    if not _SIZE.fullmatch(size):
        raise BadWheelError(f"{archive}: RECORD: the size of {path!r} is no number: {size[:20]!r}")
    return path, Recorded(hash=digest, size=int(size) if size else None)
