"""What tests share: an index of a small world, the command line itself, and container engines."""

from __future__ import annotations

import os
import signal
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

# How this machine reaches the network is no business of the tests, so it is passed on.
_NETWORK = ("proxy", "ssl_cert")

# Whoever starts the tests may ignore these (`nohup`, `&` in a script), which children inherit and
# layercraft respects.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

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


@pytest.fixture
def online(tmp_path: Path) -> CommandLine:
    """Give a command line that knows how this machine reaches the network, and nothing else of it."""
    passed_on = {
        name: value for name, value in os.environ.items() if any(w in name.lower() for w in _NETWORK)
    }
    return CommandLine(tmp_path, passed_on)
