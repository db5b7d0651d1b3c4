"""Images: pulled when they are missing or for another platform, and when that is wanted."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import pytest
from image_registry import ImageRegistry

from layercraft.errors import EngineError
from layercraft.events import SILENT, SilentReporter
from layercraft.verification.container_engines import Client, find_client
from layercraft.verification.container_images import ensure_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from container_daemons import PrivateEngine
    from engine_fixtures import Engines

    from layercraft.events import Progress

pytestmark = pytest.mark.engines


class Listener(SilentReporter):
    """Remembers what was told."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.jobs: list[str] = []
        self.done = 0

    def notice(self, text: str) -> None:
        """Keep a notice."""
        self.notices.append(text)

    @contextmanager
    def progress(self, label: str, total: int | None, unit: Literal["bytes", "items"]) -> Iterator[Progress]:
        """Count for a job."""
        assert (total, unit) == (None, "items")
        self.jobs.append(label)
        yield self

    def advance(self, amount: int) -> None:
        """Count."""
        self.done += amount


@pytest.fixture
def engine(engines: Engines, engine_name: str) -> PrivateEngine:
    """Give each engine in turn."""
    return engines(engine_name)


@pytest.fixture
def client(engine: PrivateEngine) -> Client:
    """Give the engine's client."""
    return find_client(engine.name, os.environ | engine.environment)


@pytest.fixture
def registry() -> Iterator[ImageRegistry]:
    """Open a registry with an image for both architectures."""
    with ImageRegistry() as opened:
        yield opened


def platform_of(engine: PrivateEngine, image: str) -> str:
    return engine("image", "inspect", "--format={{.Os}}/{{.Architecture}}", image).strip()


def test_a_missing_image_is_pulled_for_the_platform_and_told(
    engine: PrivateEngine, client: Client, registry: ImageRegistry
) -> None:
    listener = Listener()
    ensure_image(client, registry.image, "linux/arm64", pull=True, reporter=listener)
    assert platform_of(engine, registry.image) == "linux/arm64"
    assert listener.notices == [f"pulling {registry.image} for linux/arm64 with {engine.name}"]
    assert listener.jobs == [f"pulling {registry.image}"]
    assert listener.done == (1 if engine.name == "docker" else 0)


def test_an_image_that_is_there_asks_nobody(
    engine: PrivateEngine, client: Client, registry: ImageRegistry
) -> None:
    engine("pull", registry.image)
    registry.asked.clear()
    ensure_image(client, registry.image, "linux/amd64", pull=True, reporter=Listener())
    assert registry.asked == []


def test_the_image_for_another_platform_is_replaced_or_refused(
    engine: PrivateEngine, client: Client, registry: ImageRegistry
) -> None:
    engine("pull", "--platform", "linux/amd64", registry.image)
    with pytest.raises(EngineError, match=r"is for linux/amd64, and the layer is for linux/arm64$"):
        ensure_image(client, registry.image, "linux/arm64", pull=False, reporter=SILENT)
    ensure_image(client, registry.image, "linux/arm64", pull=True, reporter=SILENT)
    assert platform_of(engine, registry.image) == "linux/arm64"


def test_a_registry_without_the_image_is_told_in_one_line(engine: PrivateEngine, client: Client) -> None:
    with ImageRegistry() as registry:
        image = registry.image.replace("3.12", "3.99")
        with pytest.raises(
            EngineError, match=rf"^{engine.name} cannot pull {image} for linux/amd64: ."
        ) as told:
            ensure_image(client, image, "linux/amd64", pull=True, reporter=SILENT)
    assert "\n" not in told.value.message
    assert "is this machine online" in str(told.value.hint)


def test_a_registry_that_lacks_the_platform_does_not_help(engine: PrivateEngine, client: Client) -> None:
    with ImageRegistry(["amd64"]) as registry, pytest.raises(EngineError, match=f"{engine.name} cannot pull"):
        ensure_image(client, registry.image, "linux/arm64", pull=True, reporter=SILENT)
