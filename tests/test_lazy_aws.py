"""boto3 is loaded by the commands that ask AWS, and by no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from published_layers import built

if TYPE_CHECKING:
    from command_line import CommandLine

ZIP = "outputs/plain_3_13_x86_64.zip"


@pytest.mark.parametrize(
    "command",
    [
        ("--help",),
        ("publish", "--help"),
        ("list",),
        ("build", "--require", "plain"),
        ("lock", "--require", "plain"),
        ("analyze", ZIP),
        ("verify", ZIP, "--engine", "static"),
        ("cache", "info"),
    ],
)
def test_nothing_of_boto3_is_imported(layercraft: CommandLine, command: tuple[str, ...]) -> None:
    built(layercraft, "plain")
    ran = layercraft(*command, PYTHONPROFILEIMPORTTIME="1")
    imported = [line.rpartition("|")[2].strip() for line in ran.err.splitlines() if "|" in line]
    assert "layercraft.cli" in imported
    assert [name for name in imported if name.split(".")[0] in {"boto3", "botocore", "s3transfer"}] == []


def test_publish_imports_boto3(layercraft: CommandLine) -> None:
    built(layercraft, "plain")
    assert "boto3.session" in layercraft("publish", ZIP, PYTHONPROFILEIMPORTTIME="1").err
