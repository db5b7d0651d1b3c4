"""Layers that are fetched by their ARN: analysed, and verified here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from published_layers import built

if TYPE_CHECKING:
    from command_line import CommandLine


@pytest.fixture
def arn(cloud: CommandLine) -> str:
    """Publish a layer and give its ARN."""
    (layer,) = cloud.must("publish", built(cloud, "plain"), "--json").document["layers"]
    return str(layer["versions"][0]["arn"])


def test_analyze_shows_the_same_as_of_the_zip(cloud: CommandLine, arn: str) -> None:
    here = cloud.must("analyze", "outputs/plain_3_13_x86_64.zip", "--json").document["layers"][0]
    there = cloud.must("analyze", arn, "--json").document["layers"][0]
    assert there.pop("zip") == arn
    assert here.pop("zip") == "outputs/plain_3_13_x86_64.zip"
    assert there == here


def test_verify_takes_the_target_from_the_marks_of_the_version(cloud: CommandLine, arn: str) -> None:
    ran = cloud("verify", arn, "--engine", "static")
    assert ran.code == 3
    assert "nothing found for python3.13 x86_64" in ran.out


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("arn:aws:lambda:eu-west-1:123456789012:layer:plain", 2, "no ARN of a layer's version"),
        ("arn:aws:lambda:eu-west-1:123456789012:layer:nobody:1", 1, "there is no"),
    ],
)
def test_what_is_not_there_is_one_line(cloud: CommandLine, text: str, code: int, words: str) -> None:
    ran = cloud("analyze", text)
    assert ran.code == code
    assert words in ran.lines[0]
