"""Names: globs on those of distributions, and the ones that AWS takes for layers."""

from __future__ import annotations

import re

from layercraft.errors import UsageError

LAYER_NAME_LIMIT = 120
"""Characters of a layer's name before runtime and architecture are appended; AWS takes 140 in all."""

_GLOB = re.compile(r"[A-Za-z0-9._*?\[\]!-]+")
_FORBIDDEN = re.compile(r"[^a-zA-Z0-9_-]+")


def distribution_glob(text: str) -> str:
    """Write a glob on distribution names as it must be to match normalized ones: `NVIDIA_*` → `nvidia-*`.

    Raises UsageError for a text that cannot match any name.
    """
    if not _GLOB.fullmatch(text):
        raise UsageError(f'"{text}" cannot match a distribution\'s name')
    return re.sub(r"[._]", "-", text).lower()


def layer_name(text: str) -> str:
    """Turn a name of any kind into one that a Lambda layer may bear: `zope.interface` → `zope-interface`.

    Each run of characters outside `[a-zA-Z0-9-_]` (LayerName in the PublishLayerVersion API) becomes one
    `-`, and what is over LAYER_NAME_LIMIT is cut off. The result has no dots, so that PEP 751 takes it
    inside a lock's file name too. Raises UsageError when no letter or digit is left.
    """
    name = _FORBIDDEN.sub("-", text)[:LAYER_NAME_LIMIT]
    if not re.search(r"[a-zA-Z0-9]", name):
        raise UsageError(f"{text!r} cannot name a layer", hint="use letters, digits, - and _")
    return name
