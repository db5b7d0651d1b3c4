"""The policies of the README, and the actions that calls to AWS need."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from readme_commands import README

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aws_proxy import Call

POLICIES = re.findall(r"^```json\n(.*?)^```$", README.read_text("utf-8"), re.DOTALL | re.MULTILINE)
# What one action of IAM stands for.
_ACTIONS = {
    "Invoke": "InvokeFunction",
    "GetLayerVersionByArn": "GetLayerVersion",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
}
READ_BY_LAMBDA = {"s3:GetObject"}
"""What Lambda itself does with the credentials of whoever publishes from S3."""


def allowed(policy: str) -> set[str]:
    """Give the actions of a policy."""
    statements: list[dict[str, Any]] = json.loads(policy)["Statement"]
    actions = [each["Action"] for each in statements]
    return {action for each in actions for action in ([each] if isinstance(each, str) else each)}


def needed(calls: Iterable[Call]) -> set[str]:
    """Give the actions that calls need."""
    return {f"{call.service}:{_ACTIONS.get(call.operation, call.operation)}" for call in calls}
