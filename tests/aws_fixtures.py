"""Fixtures of the tests that publish: one local AWS for all of them, empty for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from local_aws import LocalAws

if TYPE_CHECKING:
    from collections.abc import Iterator

    from command_line import CommandLine

    from layercraft.aws.session import Clients


@pytest.fixture(scope="session")
def running_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """Start the local AWS once."""
    with LocalAws(tmp_path_factory.mktemp("aws")) as opened:
        yield opened


@pytest.fixture
def aws(running_aws: LocalAws) -> LocalAws:
    """Give a local AWS in which there is nothing yet."""
    running_aws.reset()
    return running_aws


@pytest.fixture
def cloud(layercraft: CommandLine, aws: LocalAws) -> CommandLine:
    """Give the command line of a user whose AWS is the local one."""
    layercraft.environment |= aws.environment
    return layercraft


@pytest.fixture
def clients(aws: LocalAws) -> Clients:
    """Give the clients of such a user, with nothing of this machine's configuration."""
    return aws.clients()
