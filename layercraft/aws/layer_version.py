"""What is published, and what came of it.

Lengths and names are those of the PublishLayerVersion page of the AWS Lambda API reference.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from layercraft.aws.licences import all_of, read_licences
from layercraft.errors import LayerTooLargeError, UsageError
from layercraft.layer.sizes import human_size
from layercraft.layer.zip_sizes import read_sizes
from layercraft.recipe.layer_toml import DESCRIPTION_LIMIT, LICENSE_LIMIT
from layercraft.recipe.names import layer_name
from layercraft.target import UNZIPPED_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from layercraft.errors import LayercraftError
    from layercraft.target import Target
    from layercraft.verification.layer import LayerUnderTest

NAME = re.compile(r"[a-zA-Z0-9-_]{1,140}")
REQUEST_LIMIT = 69_905_067
"""Bytes of a serialized request that Lambda takes: the lower of the two figures that AWS has told."""

Action = Literal["published", "unchanged", "planned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A layer version to be. `size` is in bytes, `sha256` in hexadecimal; both are of the zip."""

    zip: Path
    size: int
    sha256: str
    name: str
    description: str
    license: str
    runtimes: tuple[str, ...]
    architectures: tuple[str, ...]

    @property
    def code_sha256(self) -> str:
        """The sha256 as AWS tells it: base64 of its bytes."""
        return base64.b64encode(bytes.fromhex(self.sha256)).decode()

    @property
    def request_size(self) -> int:
        """Bytes of the request's body when the zip goes in it: JSON, the zip in base64."""
        fields = {
            "Content": {"ZipFile": ""},
            "Description": self.description,
            "LicenseInfo": self.license,
            "CompatibleRuntimes": self.runtimes,
            "CompatibleArchitectures": self.architectures,
        }
        return len(json.dumps(fields)) + 4 * -(-self.size // 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerVersion:
    """One version of a layer in one region.

    `action` tells whether it was published now, was there already (`unchanged`), or would be
    published but for the dry run (`planned`: no `arn`, and `version` 0). `through` is how the zip
    went or would go: "request", an `s3://` address, or "" where none had to go. `granted` are those
    who may use it since now, `deleted` the older versions that are gone; in a `dry_run`, both are what
    would be done.
    """

    region: str
    action: Action
    arn: str | None
    version: int
    through: str = ""
    granted: tuple[str, ...] = ()
    deleted: tuple[int, ...] = ()
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A region in which it did not work, and why."""

    region: str
    error: LayercraftError


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What came of publishing one zip: a version or a failure for each region, in the order asked."""

    layer: Draft
    versions: tuple[LayerVersion, ...]
    failures: tuple[Failure, ...] = ()


def read_draft(
    layer: LayerUnderTest, name: str | None = None, targets: Sequence[Target] | None = None
) -> Draft:
    """Read all that AWS is told of a layer: from its zip, and from the build record or lock beside it.

    The name is the zip's stem unless given, the licence the one that the recipe named, else those of the
    wheels together. `targets` are those that the layer is marked for, else the one that it was built for.

    Raises:
        UsageError: the name is none that AWS takes, or the zip cannot be read.
        LayerTooLargeError: it is larger unzipped than Lambda takes.
    """
    sizes = read_sizes(layer.zip)
    if sizes.unzipped > UNZIPPED_LIMIT:
        raise LayerTooLargeError(
            f"{layer.zip} has {human_size(sizes.unzipped)} unzipped, over Lambda's limit of "
            f"{human_size(UNZIPPED_LIMIT)}",
            hint=f"see what takes the space with `layercraft analyze {layer.zip}`",
        )
    with layer.zip.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    order = [share.name for share in sizes.top("distribution")]
    told = dict(layer.distributions)
    largest = sorted(told, key=lambda each: order.index(each) if each in order else len(order))
    marked = targets or (layer.target,)
    return Draft(
        zip=layer.zip,
        size=layer.zip.stat().st_size,
        sha256=sha256,
        name=_checked(name if name is not None else layer.zip.stem),
        description=described([f"{each} {told[each]}" for each in largest], sha256),
        license=(layer.record.license if layer.record else "")
        or all_of(read_licences(layer.zip), LICENSE_LIMIT),
        runtimes=tuple(dict.fromkeys(target.runtime.name for target in marked)),
        architectures=tuple(dict.fromkeys(target.architecture for target in marked)),
    )


def described(packages: Sequence[str], sha256: str) -> str:
    """Give a layer's description: as many packages as have room, the rest as a number, and the digest.

    What is not ASCII is left out: AWS counts characters, and says nothing of how it counts the others.
    """
    end = f"sha256 {sha256[:16]}"
    for kept in range(len(packages), -1, -1):
        more = [f"{len(packages) - kept} more"] if kept < len(packages) else []
        text = f"{', '.join([*packages[:kept], *more])}; {end}" if packages else end
        if len(text) <= DESCRIPTION_LIMIT:
            break
    return text.encode("ascii", "ignore").decode()


def _checked(name: str) -> str:
    if NAME.fullmatch(name):
        return name
    raise UsageError(
        f"{name!r} cannot name a layer: AWS takes up to 140 letters, digits, - and _",
        hint=f"take --layer-name {layer_name(name)}",
    )
