"""Fixtures of the corpus: a workshop with one cache for all tests, and judges that are found by name.

Tests carry the marker `corpus` where they take long or need a container engine. Wheels are fetched
once and kept in the folder that LAYERCRAFT_TEST_CACHE names, or in a temporary one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from engine_fixtures import ENGINES, unavailable
from probed_layers import pyenv_root

from corpus.workshop import Workshop
from layercraft import SILENT, open_sources
from layercraft.runtime_packages import like_runtime
from layercraft.verification.container import find_container
from layercraft.verification.engines import Absent
from layercraft.verification.native import find_native
from layercraft.verification.static import static

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine_fixtures import Engines

    from layercraft.verification.checks import Checks
    from layercraft.verification.engines import Engine
    from layercraft.verification.layer import LayerUnderTest
    from layercraft.verification.report import Outcome

JUDGES = ("static", "native", *ENGINES)
"""Who judges a layer: two engines that need nothing, and the container engine in docker and podman."""


class Judges:
    """Asks engines for their outcome."""

    def __init__(self, workshop: Workshop, engines: Engines, scratch: Path) -> None:
        self._workshop = workshop
        self._engines = engines
        self._scratch = scratch

    def ask(self, judge: str, layer: LayerUnderTest, checks: Checks) -> Outcome:
        """Give the outcome of one of JUDGES; nothing of it is left on this machine."""
        if judge == "static":
            return static(layer, self._workshop.sources.cache, SILENT)
        with like_runtime(self._engine(judge, layer), layer, self._workshop.sources) as engine:
            assert engine
            outcome = engine.verify(layer, checks, SILENT)
        assert list(self._scratch.iterdir()) == []
        return outcome

    def _engine(self, judge: str, layer: LayerUnderTest) -> Engine:
        target = layer.target
        if judge == "native":
            found: Engine | Absent = find_native(
                target,
                search_path=os.environ.get("PATH", os.defpath),
                pyenv_root=pyenv_root(),
                scratch=self._scratch,
            )
        else:
            private = self._engines(judge, "{}.{}".format(*target.runtime.version))
            found = find_container(
                target,
                environment=os.environ | private.environment,
                command=judge,
                pull=False,
                scratch=self._scratch,
            )
        return unavailable(found.why) if isinstance(found, Absent) else found


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", "corpus: all broken and all good layers in all engines, for minutes")


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """Give the workshop; what it built is kept for the session."""
    kept = os.environ.get("LAYERCRAFT_TEST_CACHE")
    folder = tmp_path_factory.mktemp("corpus")
    with open_sources(cache_dir=Path(kept) if kept else folder / "cache") as sources:
        yield Workshop(folder, sources, os.environ.get("PATH", os.defpath))


@pytest.fixture
def judges(workshop: Workshop, engines: Engines, tmp_path: Path) -> Judges:
    """Give the judges."""
    return Judges(workshop, engines, tmp_path)
