"""The files of `.dist-info` folders, at the paths where importlib.metadata looks for them in Lambda."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FOLDER = re.compile(r"python/(?:lib/python3\.\d+/site-packages/)?([^/]+)-([^/-]+)\.dist-info/[^/]+")


def distribution_of(path: str, base: str = "METADATA") -> tuple[str, str] | None:
    """Give normalized name and version of the distribution whose file `base` is at this path, if it is.

    What packages carry inside of themselves (`setuptools/_vendor/…`) is no distribution.
    """
    found = _FOLDER.fullmatch(path) if path.endswith(f".dist-info/{base}") else None
    return (canonicalize_name(found[1]), found[2]) if found else None


def paths_of(base: str, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Give the normalized name of each distribution that has a file `base`, and that file's path."""
    for path in paths:
        found = distribution_of(path, base)
        if found:
            yield found[0], path
