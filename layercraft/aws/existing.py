"""The versions that a layer has in a region: which is the newest, whether it is the same, which are old."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from layercraft.aws.explanations import code_of

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

    from layercraft.aws.layer_version import Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """A version that is there."""

    arn: str
    version: int
    code_sha256: str
    runtimes: frozenset[str]
    architectures: frozenset[str]

    def is_same(self, layer: Draft) -> bool:
        """Whether it has the same bytes, and is marked for the same runtimes and architectures."""
        return (self.code_sha256, self.runtimes, self.architectures) == (
            layer.code_sha256,
            frozenset(layer.runtimes),
            frozenset(layer.architectures),
        )


def newest(client: LambdaClient, name: str) -> Existing | None:
    """Give the newest version of a layer; None where it has none. Raises what boto3 raises."""
    listed = client.list_layer_versions(LayerName=name, MaxItems=1)["LayerVersions"]
    if not listed:
        return None
    try:
        found = client.get_layer_version(LayerName=name, VersionNumber=listed[0]["Version"])
    except client.exceptions.ResourceNotFoundException:  # deleted in this moment
        return None
    return Existing(
        arn=found["LayerVersionArn"],
        version=found["Version"],
        code_sha256=found["Content"]["CodeSha256"],
        runtimes=frozenset(found.get("CompatibleRuntimes", ())),
        architectures=frozenset(found.get("CompatibleArchitectures", ())),
    )


def versions(client: LambdaClient, name: str) -> tuple[int, ...]:
    """Give the numbers of all versions of a layer, newest first. Raises what boto3 raises."""
    pages = client.get_paginator("list_layer_versions").paginate(LayerName=name)
    found = [each["Version"] for page in pages for each in page["LayerVersions"]]
    return tuple(sorted(found, reverse=True))


def delete_older(client: LambdaClient, name: str, keep: int, up_to: int, *, dry_run: bool) -> tuple[int, ...]:
    """Delete all but the `keep` newest versions up to `up_to`; give the numbers of those that went.

    A dry run deletes nothing, and counts the version that would be there: `up_to` is 0 then. Raises what
    boto3 raises.
    """
    there = [each for each in versions(client, name) if each <= up_to or not up_to]
    older = tuple(there[keep if up_to else keep - 1 :])
    for version in () if dry_run else older:
        client.delete_layer_version(LayerName=name, VersionNumber=version)
    return older


def is_missing(error: Exception) -> bool:
    """Tell whether AWS says that what was asked for is not there."""
    return code_of(error) == "ResourceNotFoundException"
