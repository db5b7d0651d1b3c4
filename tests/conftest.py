"""What tests share: an index of a small world, the command line itself, and container engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from command_line import CommandLine
from hypothesis import settings
from local_index import LocalIndex
from world import wheels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest_plugins = ("aws_fixtures", "engine_fixtures", "corpus.fixtures")

settings.register_profile("thorough", max_examples=500, deadline=None)


@pytest.fixture
def index() -> Iterator[LocalIndex]:
    """Open an index of the small world."""
    with LocalIndex(wheels=wheels()) as opened:
        yield opened


@pytest.fixture
def layercraft(tmp_path: Path, index: LocalIndex) -> CommandLine:
    """Give the command line, which knows no other index than the small world's."""
    return CommandLine(tmp_path, {"LAYERCRAFT_INDEX_URL": index.url})
