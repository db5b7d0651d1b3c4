"""Wheels and zip files made to measure: honest ones through `zipfile`, lying ones byte by byte.

`WheelDraft` makes wheels as PEP 427 wants them, with a correct RECORD. `RawZip` writes what no
honest writer would: headers that contradict each other, members that overlap, zip64 records and so
on. Header fields are those of PKWARE's APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelDraft:
    """A wheel to be: `write(folder)` gives its path, `packed()` its bytes.

    Attributes:
        name: the distribution, as METADATA tells it; file and folders carry it escaped.
        version: as METADATA, file and folders tell it.
        files: path in the wheel -> bytes; default one module named like the distribution.
        data: path below `{name}-{version}.data/` -> bytes, such as "scripts/tool".
        tag: one or more tags, compressed as in a file name ("py2.py3-none-any").
        requires: the Requires-Dist lines.
        extras: extra -> its Requires-Dist lines, without the marker for the extra.
        requires_python: the Requires-Python line, left out when empty.
        entry_points: the text of entry_points.txt, left out when empty.
        modes: path -> all sixteen Unix mode bits; default a regular file, 0644.
        stored: the paths that are stored; all others are deflated.
        dist_info: the name of the `.dist-info` folder, where it should not be the right one.
        without: names in the `.dist-info` folder that are left out, such as "RECORD".
    """

    name: str
    version: str = "1.0"
    files: Mapping[str, bytes] | None = None
    data: Mapping[str, bytes] = field(default_factory=dict)
    tag: str = "py3-none-any"
    requires: Sequence[str] = ()
    extras: Mapping[str, Sequence[str]] = field(default_factory=dict)
    requires_python: str = ""
    entry_points: str = ""
    modes: Mapping[str, int] = field(default_factory=dict)
    stored: Collection[str] = ()
    dist_info: str = ""
    without: Collection[str] = ()

    @property
    def stem(self) -> str:
        """The escaped name and the version: what file and folder names begin with."""
        return f"{self.name.lower().replace('-', '_').replace('.', '_')}-{self.version}"

    @property
    def filename(self) -> str:
        """The wheel's file name as PEP 427 wants it."""
        return f"{self.stem}-{self.tag}.whl"

    def contents(self) -> dict[str, bytes]:
        """Give path -> bytes of all members, in the order in which they are written."""
        info = self.dist_info or f"{self.stem}.dist-info"
        module = f"{self.stem.partition('-')[0]}.py"
        contents = dict({module: b"x = 1\n"} if self.files is None else self.files)
        contents |= {f"{self.stem}.data/{path}": content for path, content in self.data.items()}
        contents |= {f"{info}/METADATA": self._metadata(), f"{info}/WHEEL": self._wheel()}
        if self.entry_points:
            contents[f"{info}/entry_points.txt"] = self.entry_points.encode()
        contents[f"{info}/RECORD"] = record_bytes(contents, f"{info}/RECORD")
        for name in self.without:
            del contents[f"{info}/{name}"]
        return contents

    def packed(self) -> bytes:
        """Give the wheel's bytes."""
        return zip_bytes(self.contents(), modes=self.modes, stored=self.stored)

    def write(self, folder: Path) -> Path:
        """Write the wheel to `folder` under its right file name, and give that path."""
        path = folder / self.filename
        path.write_bytes(self.packed())
        return path

    def _metadata(self) -> bytes:
        lines = ["Metadata-Version: 2.1", f"Name: {self.name}", f"Version: {self.version}"]
        if self.requires_python:
            lines.append(f"Requires-Python: {self.requires_python}")
        lines += [f"Requires-Dist: {line}" for line in self.requires]
        for extra, wanted in self.extras.items():
            lines.append(f"Provides-Extra: {extra}")
            lines += [f"Requires-Dist: {_with_extra(line, extra)}" for line in wanted]
        return "\n".join([*lines, "", ""]).encode()

    def _wheel(self) -> bytes:
        pythons, abis, platforms = (part.split(".") for part in self.tag.split("-"))
        tags = [f"Tag: {p}-{a}-{f}" for p in pythons for a in abis for f in platforms]
        pure = "true" if platforms == ["any"] else "false"
        head = ["Wheel-Version: 1.0", "Generator: wheelhouse", f"Root-Is-Purelib: {pure}"]
        return "\n".join([*head, *tags, ""]).encode()


def zip_bytes(
    contents: Mapping[str, bytes],
    *,
    modes: Mapping[str, int] | None = None,
    stored: Collection[str] = (),
    comment: bytes = b"",
) -> bytes:
    """Give the bytes of a zip of `contents`, in their order, as `zipfile` writes it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in contents.items():
            info = zipfile.ZipInfo(path, date_time=(2020, 2, 2, 2, 2, 2))
            info.create_system = 3
            info.external_attr = (modes or {}).get(path, 0o100644) << 16
            method = zipfile.ZIP_STORED if path in stored else zipfile.ZIP_DEFLATED
            archive.writestr(info, content, compress_type=method)
        archive.comment = comment
    return buffer.getvalue()


def sha256(data: bytes) -> str:
    """Give the sha256 in hex, as indexes and lock files write it."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMember:
    """One member of a `RawZip`: honest unless told otherwise.

    `local` and `central` replace fields of the two headers by the names that `_shared`, `_local` and
    `_central` give them;
    `packed` replaces the bytes between the headers, without a word in the headers about it.
    """

    name: bytes
    data: bytes = b"x = 1\n"
    method: int = 8
    packed: bytes | None = None
    local: Mapping[str, int] = field(default_factory=dict)
    central: Mapping[str, int] = field(default_factory=dict)
    local_name: bytes | None = None
    local_extra: bytes = b""
    central_extra: bytes = b""
    descriptor: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawZip:
    """A zip of `members`, honest unless told otherwise: `packed()` gives its bytes.

    Offsets count from the file's first byte, `prefix` included. `end` replaces fields of the end
    record; `prefix`, `before_directory`, `before_end` and `after` are bytes that no header tells of.
    """

    members: Sequence[RawMember]
    end: Mapping[str, int] = field(default_factory=dict)
    prefix: bytes = b""
    before_directory: bytes = b""
    before_end: bytes = b""
    comment: bytes = b""
    after: bytes = b""

    def packed(self) -> bytes:
        """Give the zip's bytes."""
        body = bytearray(self.prefix)
        directory = bytearray()
        for member in self.members:
            offset = len(body)
            body += _local(member)
            directory += _central(member, offset)
        body += self.before_directory
        fields = {
            "disk": 0,
            "directory_disk": 0,
            "entries_here": len(self.members),
            "entries": len(self.members),
            "directory_size": len(directory),
            "directory_offset": len(body),
            "comment_length": len(self.comment),
        }
        end = END.pack(b"PK\x05\x06", *_replaced(fields, self.end))
        return bytes(body + directory) + self.before_end + end + self.comment + self.after


def _local(member: RawMember) -> bytes:
    name = member.name if member.local_name is None else member.local_name
    fields = {"version": 20, **_shared(member)}
    fields |= {"name_length": len(name), "extra_length": len(member.local_extra)}
    header = LOCAL.pack(b"PK\x03\x04", *_replaced(fields, member.local))
    return header + name + member.local_extra + _packed(member) + member.descriptor


def _central(member: RawMember, offset: int) -> bytes:
    fields = {"made_by": 3 << 8 | 20, "version": 20, **_shared(member)}
    fields |= {
        "name_length": len(member.name),
        "extra_length": len(member.central_extra),
        "comment_length": 0,
        "disk": 0,
        "internal": 0,
        "external": 0o100644 << 16,
        "header_offset": offset,
    }
    header = CENTRAL.pack(b"PK\x01\x02", *_replaced(fields, member.central))
    return header + member.name + member.central_extra


def _replaced(fields: Mapping[str, int], lies: Mapping[str, int]) -> list[int]:
    if unknown := set(lies) - set(fields):
        raise KeyError(f"no such header field: {unknown}")
    return [lies.get(name, value) for name, value in fields.items()]


def _shared(member: RawMember) -> dict[str, int]:
    return {
        "flags": 0,
        "method": member.method,
        "time": 0,
        "date": 0x21,
        "crc": zlib.crc32(member.data),
        "packed_size": len(_packed(member)),
        "size": len(member.data),
    }


def _packed(member: RawMember) -> bytes:
    if member.packed is not None:
        return member.packed
    return raw_deflate(member.data) if member.method == zipfile.ZIP_DEFLATED else member.data


def raw_deflate(data: bytes) -> bytes:
    """Give `data` as a bare DEFLATE stream, by zlib."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def _with_extra(line: str, extra: str) -> str:
    requirement, _, marker = line.partition(";")
    condition = f'extra == "{extra}"'
    return f"{requirement.strip()}; " + (f"({marker.strip()}) and {condition}" if marker else condition)


def record_bytes(contents: Mapping[str, bytes], own_path: str) -> bytes:
    """Give a correct RECORD of `contents`, with a line for itself (PEP 376)."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for path, content in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        writer.writerow([path, f"sha256={digest}", len(content)])
    writer.writerow([own_path, "", ""])
    return buffer.getvalue().encode()
