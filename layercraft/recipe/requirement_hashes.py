"""The hashes that a requirement names: `--hash` options and the fragments of URLs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urldefrag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FRAGMENT_ALGORITHMS = frozenset({"md5", "sha1", "sha224", "sha256", "sha384", "sha512"})
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WITHOUT_EFFECT = frozenset({"--config-settings", "--config-setting", "-C", "--global-option"})


def hash_options(words: Sequence[str]) -> list[str]:
    """Give the `ALGORITHM:DIGEST` values of a requirement's `--hash` options.

    Options for builds from source are passed over: a wheel is built already.

    Raises:
        ValueError: an option that does not belong to a requirement, or that lacks its value.
    """
    found = []
    remaining = iter(words)
    for word in remaining:
        option, equals, value = word.partition("=")
        if option != "--hash" and option not in _WITHOUT_EFFECT:
            raise ValueError(f"has the option {option}, which does not go with a requirement")
        if not equals:
            value = next(remaining, "")
        if not value:
            raise ValueError(f"has the option {option} without its value")
        if option == "--hash":
            found.append(value)
    return found


def fragment_hashes(url: str) -> list[str]:
    """Give the hashes in a URL's fragment (`#sha256=…`) as `ALGORITHM:DIGEST`."""
    pairs = parse_qsl(urldefrag(url).fragment)
    return [f"{key}:{value}" for key, value in pairs if key in _FRAGMENT_ALGORITHMS]


def sha256_digests(declared: Iterable[str]) -> tuple[str, ...]:
    """Give the sha256 digests among `ALGORITHM:DIGEST` texts, each once, in lower-case hexadecimals.

    Raises:
        ValueError: a digest that is none, or only other algorithms. What comes from an index is compared
            by sha256, so passing over a lone sha512 would drop a check that was asked for.
    """
    pairs = [text.partition(":") for text in declared]
    digests = [digest.lower() for algorithm, _, digest in pairs if algorithm.lower() == "sha256"]
    for digest in digests:
        if not _SHA256.fullmatch(digest):
            raise ValueError(f"has the hash sha256:{digest}, which is not 64 hexadecimal digits")
    if pairs and not digests:
        others = ", ".join(sorted({algorithm for algorithm, _, _ in pairs}))
        raise ValueError(
            f"has no sha256 hash, only {others}: add --hash=sha256:…, which wheels are compared by"
        )
    return tuple(dict.fromkeys(digests))
