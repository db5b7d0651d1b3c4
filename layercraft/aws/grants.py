"""Who may use a layer version besides the account that owns it.

Statements are those of AddLayerVersionPermission (AWS Lambda API reference). Their ids are made of
whom they are for, so that a grant is given once, however often it is asked for.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layercraft.aws.existing import is_missing
from layercraft.aws.explanations import code_of
from layercraft.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from types_boto3_lambda import LambdaClient

ACTION = "lambda:GetLayerVersion"
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_ORGANIZATION = re.compile(r"o-[a-z0-9]{10,32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One statement: an account's number or `*`, and the organization that `*` is limited to."""

    principal: str
    organization: str = ""

    @property
    def id(self) -> str:
        """The statement's id."""
        return f"layercraft-{self.organization or self.principal.replace('*', 'public')}"

    def __str__(self) -> str:
        return self.organization or self.principal.replace("*", "everyone")


def read_grants(*, public: bool, accounts: Iterable[str], organizations: Iterable[str]) -> tuple[Grant, ...]:
    """Read whom a layer is to be shared with.

    Raises:
        UsageError: an account has not 12 digits, or an organization no id as AWS gives them.
    """
    for option, pattern, values, example in (
        ("--account", _ACCOUNT, accounts, "123456789012"),
        ("--organization", _ORGANIZATION, organizations, "o-abcde12345"),
    ):
        for value in values:
            if not pattern.fullmatch(value):
                raise UsageError(
                    f"{option} {value}: no such id is given by AWS", hint=f"one is like {example}"
                )
    return tuple(
        dict.fromkeys(
            [
                *([Grant(principal="*")] if public else []),
                *(Grant(principal=account) for account in accounts),
                *(Grant(principal="*", organization=each) for each in organizations),
            ]
        )
    )


def share(
    client: LambdaClient, name: str, version: int, grants: Iterable[Grant], *, dry_run: bool
) -> tuple[str, ...]:
    """Give what is not given yet, and tell to whom. Raises what boto3 raises.

    `version` is 0 for one that a dry run does not publish.
    """
    wanted = list(grants)
    given = _given(client, name, version) if version and wanted else frozenset()
    missing = [grant for grant in wanted if grant.id not in given]
    for grant in () if dry_run else missing:
        _give(client, name, version, grant)
    return tuple(map(str, missing))


def _given(client: LambdaClient, name: str, version: int) -> frozenset[str]:
    from botocore.exceptions import ClientError

    try:
        policy = client.get_layer_version_policy(LayerName=name, VersionNumber=version)["Policy"]
    except ClientError as error:
        if is_missing(error):
            return frozenset()
        raise
    return frozenset(statement.get("Sid", "") for statement in json.loads(policy)["Statement"])


def _give(client: LambdaClient, name: str, version: int, grant: Grant) -> None:
    from botocore.exceptions import ClientError

    limit = {"OrganizationId": grant.organization} if grant.organization else {}
    try:
        client.add_layer_version_permission(
            LayerName=name,
            VersionNumber=version,
            StatementId=grant.id,
            Action=ACTION,
            Principal=grant.principal,
            **limit,
        )
    except ClientError as error:
        if code_of(error) != "ResourceConflictException":  # someone gave it meanwhile
            raise
