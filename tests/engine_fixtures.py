"""Fixtures of the tests that run real containers: private engines with Lambda-like images in them.

Tests that use them carry the marker `engines`. Where CI is set in the environment, an engine that is
missing fails them; elsewhere they are skipped with the reason. Images are made once and kept in the
folder that LAYERCRAFT_TEST_IMAGES names, or in a temporary one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from container_daemons import BridgedDocker, PrivateDocker, PrivateEngine, PrivatePodman
from foreign_programs import arm64_programs
from lambda_like import debian_root
from lambda_like.debian_root import SUITES
from lambda_like.images import image_archive
from lambda_like.pyenv_root import find_python

from layercraft.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

ENGINES = {"docker": PrivateDocker, "podman": PrivatePodman}
BRIDGED = "docker with a bridge"


class Engines:
    """The private engines of this session, started when they are first asked for."""

    def __init__(self, images: Path, stack: ExitStack) -> None:
        self._images = images
        self._stack = stack
        self._started: dict[str, PrivateEngine] = {}
        self._loaded: set[tuple[str, str, str]] = set()

    def __call__(self, name: str, version: str = "", architecture: str = "x86_64") -> PrivateEngine:
        """Give an engine, with the image of a runtime ("3.12") in it when one is named.

        The image has the name that AWS gives it; an image of one architecture takes the place of the
        other's.
        """
        kind = BridgedDocker if name == BRIDGED else ENGINES[name]
        if reason := kind.lacks():
            unavailable(reason)
        if name not in self._started:
            self._started[name] = self._stack.enter_context(kind())
        engine = self._started[name]
        key = (name, version, architecture)
        if version and key not in self._loaded:
            engine("load", "--quiet", "--input", self._archive(version, architecture))
            self._loaded = {each for each in self._loaded if each[:2] != key[:2]} | {key}
        return engine

    def _archive(self, version: str, architecture: str) -> Path:
        if architecture == "x86_64" and not find_python(version):
            unavailable(f"pyenv has no Python {version}")
        if architecture == "arm64" and version not in SUITES:
            unavailable(f"Debian has no arm64 Python {version}")
        try:
            return image_archive(version, architecture, self._images)
        except (OSError, subprocess.SubprocessError, LookupError) as error:
            unavailable(f"the image for python{version} {architecture} cannot be made: {error}")


def unavailable(reason: str) -> NoReturn:
    """Fail the test in CI, skip it elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def image_name(version: str) -> str:
    """Give the name of AWS's image for a runtime, which the stand-in bears in the private engines."""
    return Target.parse(version, "x86_64").runtime.image


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", "engines: runs real containers, in docker and podman of its own")


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """Give the private engines; all that was started ends with the session."""
    kept = os.environ.get("LAYERCRAFT_TEST_IMAGES")
    with ExitStack() as stack:
        yield Engines(Path(kept) if kept else tmp_path_factory.mktemp("images"), stack)


@pytest.fixture(params=sorted(ENGINES))
def engine_name(request: pytest.FixtureRequest) -> str:
    """Give the name of each engine in turn."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def arm64_runs() -> Iterator[None]:
    """See that this machine runs programs for arm64, by emulation if need be."""
    with ExitStack() as stack:
        try:
            stack.enter_context(arm64_programs())
        except OSError as error:
            unavailable(f"arm64 programs cannot be run here: {error}")
        yield


@pytest.fixture(scope="session")
def arm64_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a root file system with Python 3.11 for arm64, kept where the images are kept."""
    if not shutil.which("qemu-aarch64-static"):
        unavailable("qemu-aarch64-static is not installed")
    kept = os.environ.get("LAYERCRAFT_TEST_IMAGES")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("roots")
    root = folder / "arm64-python3.11"
    if not root.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=folder))
        try:
            debian_root.build("3.11", unfinished)
        except (OSError, subprocess.SubprocessError, LookupError) as error:
            unavailable(f"no root file system for arm64 can be made: {error}")
        unfinished.rename(root)
    return root
