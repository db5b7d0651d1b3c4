"""Text that uses a layer: it parses as what it says that it is, and names the layer."""

from __future__ import annotations

import ast
import shlex
import shutil
import subprocess
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped] # its types are one package more, for three calls

from layercraft.aws.snippets import SNIPPETS, snippet

ARN = "arn:aws:lambda:eu-west-1:123456789012:layer:sklearn_3_13_arm64:7"


def text(kind: str) -> str:
    return snippet(kind, ARN, "python3.13", "arm64")


@pytest.mark.parametrize("kind", sorted(SNIPPETS))
def test_every_kind_names_the_layer_once(kind: str) -> None:
    assert text(kind).count(ARN) == 1
    assert text(kind).endswith("\n")


def test_sam_is_yaml_with_a_function() -> None:
    function: dict[str, Any] = yaml.safe_load(text("sam"))["Resources"]["MyFunction"]
    assert function["Type"] == "AWS::Serverless::Function"
    assert function["Properties"]["Layers"] == [ARN]
    assert (function["Properties"]["Runtime"], function["Properties"]["Architectures"]) == (
        "python3.13",
        ["arm64"],
    )


def test_serverless_is_yaml_with_provider_and_function() -> None:
    document = yaml.safe_load(text("serverless"))
    assert document["provider"] == {
        "name": "aws",
        "region": "eu-west-1",
        "runtime": "python3.13",
        "architecture": "arm64",
    }
    assert document["functions"]["my-function"]["layers"] == [ARN]


def test_cdk_is_python() -> None:
    names = {
        ast.unparse(node) for node in ast.walk(ast.parse(text("cdk"))) if isinstance(node, ast.Attribute)
    }
    assert {"lambda_.Runtime.PYTHON_3_13", "lambda_.Architecture.ARM_64"} <= names


def test_cli_is_one_command() -> None:
    words = shlex.split(text("cli").replace("\\\n", " "))
    assert words[:3] == ["aws", "lambda", "update-function-configuration"]
    assert words[words.index("--region") + 1] == "eu-west-1"
    assert words[words.index("--layers") + 1] == ARN


def test_terraform_is_formatted_as_terraform_does_it() -> None:
    told = text("terraform")
    assert f'layers        = ["{ARN}"]' in told
    if terraform := shutil.which("terraform"):
        ran = subprocess.run([terraform, "fmt", "-"], input=told, capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stdout) == (0, told)
