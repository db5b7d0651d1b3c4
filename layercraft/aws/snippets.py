"""Text that uses a layer version, for whoever deploys functions: SAM, CDK, Terraform, Serverless, the CLI."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

Words = Mapping[str, str]
"""`arn`, `runtime`, `architecture`, `region`, and `id`, a name of letters and digits alone."""


def _sam(words: Words) -> str:
    return """\
Resources:
  MyFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Handler: app.handler
      Runtime: {runtime}
      Architectures: [{architecture}]
      Layers:
        - {arn}
""".format_map(words)


def _cdk(words: Words) -> str:
    architecture = {"arm64": "ARM_64", "x86_64": "X86_64"}[words["architecture"]]
    runtime = "PYTHON_" + words["runtime"].removeprefix("python").replace(".", "_")
    return """\
from aws_cdk import aws_lambda as lambda_

layer = lambda_.LayerVersion.from_layer_version_arn(
    self, "{id}", "{arn}"
)
lambda_.Function(
    self,
    "MyFunction",
    code=lambda_.Code.from_asset("src"),
    handler="app.handler",
    runtime=lambda_.Runtime.{python},
    architecture=lambda_.Architecture.{machine},
    layers=[layer],
)
""".format_map({**words, "python": runtime, "machine": architecture})


def _terraform(words: Words) -> str:
    return """\
resource "aws_lambda_function" "my_function" {{
  function_name = "my-function"
  role          = aws_iam_role.my_function.arn
  filename      = "function.zip"
  handler       = "app.handler"
  runtime       = "{runtime}"
  architectures = ["{architecture}"]
  layers        = ["{arn}"]
}}
""".format_map(words)


def _serverless(words: Words) -> str:
    return """\
provider:
  name: aws
  region: {region}
  runtime: {runtime}
  architecture: {architecture}
functions:
  my-function:
    handler: app.handler
    layers:
      - {arn}
""".format_map(words)


def _cli(words: Words) -> str:
    return """\
aws lambda update-function-configuration \\
  --region {region} \\
  --function-name my-function \\
  --layers {arn}
""".format_map(words)


SNIPPETS: Mapping[str, Callable[[Words], str]] = MappingProxyType(
    {"sam": _sam, "cdk": _cdk, "terraform": _terraform, "serverless": _serverless, "cli": _cli}
)


def snippet(kind: str, arn: str, runtime: str, architecture: str) -> str:
    """Give the text for one of `SNIPPETS`, which ends with a line break.

    `arn` is that of a layer version; region and name are read from it.

    Raises:
        KeyError: there is no such kind.
    """
    parts = arn.split(":")
    words = {
        "arn": arn,
        "id": "".join(word.capitalize() for word in parts[6].replace("-", "_").split("_")),
        "region": parts[3],
        "runtime": runtime,
        "architecture": architecture,
    }
    return SNIPPETS[kind](words)
