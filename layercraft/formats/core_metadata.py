"""Core metadata of a distribution: the few header fields that resolution needs.

The fields are those of the core metadata specification (PEP 566, PEP 643). Only the header is read:
the description behind the first empty line may be hundreds of kilobytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEADER_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreMetadata:
    """What a wheel's METADATA says about its needs.

    `requires` are the Requires-Dist texts as they stand, unparsed: a version that was only looked at
    in passing costs nothing.
    """

    name: str
    version: str
    requires: tuple[str, ...]
    requires_python: str | None
    extras: tuple[str, ...]


def parse_core_metadata(data: bytes) -> CoreMetadata:
    """Read the header of a METADATA file.

    Raises:
        ValueError: the bytes hold no Metadata-Version, Name and Version, so they are something else.
    """
    fields = header_fields(data)
    if not (fields.get("metadata-version") and fields.get("name") and fields.get("version")):
        raise ValueError("no Metadata-Version, Name and Version in the header")
    return CoreMetadata(
        name=fields["name"][0],
        version=fields["version"][0],
        requires=tuple(fields.get("requires-dist", ())),
        requires_python=fields.get("requires-python", [None])[0],
        extras=tuple(fields.get("provides-extra", ())),
    )


def header_fields(data: bytes) -> dict[str, list[str]]:
    """Give all header fields: name in lower case -> its values, folded lines joined."""
    fields: dict[str, list[str]] = {}
    last: list[str] | None = None
    header = _HEADER_END.split(data, maxsplit=1)[0].decode("utf-8-sig", "replace")
    for line in header.split("\n"):  # and at nothing else: a field may hold a form feed or U+2028
        if line[:1] in (" ", "\t"):
            if last is not None:
                last[-1] += " " + line.strip()
            continue
        key, colon, value = line.partition(":")
        if not colon:
            break
        last = fields.setdefault(key.lower(), [])
        last.append(value.strip())
    return fields
