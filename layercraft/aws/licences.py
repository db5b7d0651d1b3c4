"""The licences of what is in a layer, as one SPDX expression for AWS's LicenseInfo.

Each distribution tells its own in METADATA: License-Expression (PEP 639), else the older License
field where it holds an expression or a name that everybody uses, else the trove classifiers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from layercraft.errors import BadWheelError
from layercraft.formats.core_metadata import header_fields
from layercraft.verification.zip_contents import open_zip

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

UNKNOWN = "LicenseRef-unknown"
"""What stands for a licence that METADATA does not tell in terms of SPDX."""

_LARGEST = 32 << 20
_NAMES = {
    "apache": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache software license 2.0": "Apache-2.0",
    "bsd 2-clause": "BSD-2-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd": "LicenseRef-BSD",
    "bsd license": "LicenseRef-BSD",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "the mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "mpl 2.0": "MPL-2.0",
    "new bsd": "BSD-3-Clause",
    "new bsd license": "BSD-3-Clause",
    "psf": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
    "gnu lesser general public license v3 (lgplv3)": "LGPL-3.0-only",
    "gnu lesser general public license v3 or later (lgplv3+)": "LGPL-3.0-or-later",
    "gnu lesser general public license v2 or later (lgplv2+)": "LGPL-2.0-or-later",
    "gnu general public license v2 (gplv2)": "GPL-2.0-only",
    "gnu general public license v2 or later (gplv2+)": "GPL-2.0-or-later",
    "gnu general public license v3 (gplv3)": "GPL-3.0-only",
    "gnu general public license v3 or later (gplv3+)": "GPL-3.0-or-later",
    "gnu affero general public license v3": "AGPL-3.0-only",
    "the unlicense (unlicense)": "Unlicense",
    "zope public license": "ZPL-2.1",
}
"""Names in METADATA, in lower case -> SPDX. "BSD" leaves open which of its forms it is."""


def read_licences(path: Path) -> tuple[str, ...]:
    """Give the SPDX expressions of all distributions in a zip, each term once, sorted, UNKNOWN last.

    Raises:
        UsageError: the file is missing or no zip.
    """
    found: set[str] = set()
    with open_zip(path) as contents:
        for name, line in contents.listed.items():
            if name.endswith(".dist-info/METADATA") and line.size <= _LARGEST:
                try:
                    found.update(_terms(licence_of(header_fields(contents.read(name)))))
                except BadWheelError:
                    found.add(UNKNOWN)
    return tuple(sorted(found, key=lambda each: (each == UNKNOWN, each.casefold(), each)))


def licence_of(fields: Mapping[str, Sequence[str]]) -> str:
    """Give the SPDX expression that a METADATA header tells, else UNKNOWN."""
    texts = (*fields.get("license-expression", ()), *fields.get("license", ()))
    classified = [
        _expression(each.rpartition("::")[2].strip())
        for each in fields.get("classifier", ())
        if each.startswith("License ::")
    ]
    known = sorted(filter(None, classified))
    return next(filter(None, map(_expression, texts)), "") or _either(known) or UNKNOWN


def all_of(expressions: Iterable[str], limit: int) -> str:
    """Join expressions by AND in at most `limit` characters; what has no room is told as UNKNOWN."""
    terms = [f"({each})" if " OR " in each else each for each in expressions]
    text = " AND ".join(terms)
    if len(text) <= limit:
        return text
    while terms and len(" AND ".join([*terms, UNKNOWN])) > limit:
        terms.pop()
    return " AND ".join([*terms, UNKNOWN])


def _terms(expression: str) -> list[str]:
    """Take an expression apart where all of it must hold."""
    plain = "(" not in expression and " OR " not in expression
    return expression.split(" AND ") if plain else [expression]


def _expression(text: str) -> str:
    """Give the text as an SPDX expression, or an empty text when it is none."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    known = _NAMES.get(text.casefold())
    if known:
        return known
    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        return ""


def _either(expressions: Sequence[str]) -> str:
    return " OR ".join(dict.fromkeys(expressions))
