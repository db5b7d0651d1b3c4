from __future__ import annotations

from pathlib import Path

from probed_layers import PYTHON, native_engine

from layercraft.verification.engines import Absent, strongest

NATIVE = native_engine(Path())
NO_CONTAINER = Absent(name="container", why="no docker on PATH", remedy="install docker")
NO_NATIVE = Absent(name="native", why="no python3.13")


def test_the_strongest_engine_is_taken_and_what_would_be_stronger_is_told() -> None:
    choice = strongest([NATIVE, NO_CONTAINER])
    assert choice.engine is NATIVE
    assert choice.why == f"native: {NATIVE.description}; no container engine: no docker on PATH"
    assert str(PYTHON) in choice.why


def test_what_is_weaker_is_not_told() -> None:
    choice = strongest([NATIVE, Absent(name="static", why="never")])
    assert choice.why == f"native: {NATIVE.description}"


def test_without_any_engine_only_the_static_one_is_left() -> None:
    choice = strongest([NO_NATIVE, NO_CONTAINER])
    assert choice.engine is None
    assert choice.why == (
        "static: nothing else can run here; no container engine: no docker on PATH; "
        "no native engine: no python3.13"
    )
