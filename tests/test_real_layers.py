"""From a recipe to a verdict: real layers, all engines, the command line as people run it."""

from __future__ import annotations

import json
import os
import platform
import re
from typing import TYPE_CHECKING, Any

import pytest
from command_line import CommandLine
from engine_fixtures import unavailable
from probed_layers import pyenv_root, pythons

if TYPE_CHECKING:
    from pathlib import Path

    from container_daemons import PrivateEngine
    from engine_fixtures import Engines

pytestmark = [pytest.mark.engines, pytest.mark.network]

NETWORK = ("proxy", "ssl_cert")
LONGEST = 600  # seconds: an emulated machine is slow

HANDLER = """
def handler(event, context):
    import numpy
    return {"sum": int(numpy.sum(event["numbers"])), "file": numpy.__file__}
"""


class Builder:
    """Builds layers once for all tests of this file, and verifies them."""

    def __init__(self, folder: Path) -> None:
        passed_on = {
            name: text for name, text in os.environ.items() if any(w in name.lower() for w in NETWORK)
        }
        self.command = CommandLine(folder, passed_on | {"PYENV_ROOT": str(pyenv_root())})
        self._built: dict[tuple[str, ...], Path] = {}

    def layer(self, *arguments: str) -> Path:
        """Give the zip that `build` makes of these arguments."""
        if arguments not in self._built:
            (built,) = self.command.must("build", *arguments, "--json").document["layers"]
            self._built[arguments] = self.command.folder / built["zip"]
        return self._built[arguments]

    def verify(self, *arguments: str | Path) -> tuple[int, dict[str, Any]]:
        """Verify a layer; give the exit code and the layer's document."""
        with self.command.started("verify", *arguments, "--json") as process:
            out, err = process.communicate(timeout=LONGEST)
        assert "Traceback" not in err, err
        document = json.loads(out)
        assert "layers" in document, document
        return process.returncode, document["layers"][0]

    def verify_in(self, engine: PrivateEngine, *arguments: str | Path) -> tuple[int, dict[str, Any]]:
        """Verify in a container of this engine, which must be gone afterwards."""
        self.command.environment |= engine.environment
        options = ("--engine", "container", "--engine-command", engine.name, "--no-pull")
        answer = self.verify(*arguments, *options)
        assert engine.containers() == []
        return answer


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """Give a builder with a cache of its own."""
    return Builder(tmp_path_factory.mktemp("layers"))


def told(document: dict[str, Any], engine: str) -> dict[str, str]:
    """Give the findings of one engine: subject and kind."""
    return {each["subject"]: each["kind"] for each in document["findings"] if each["engine"] == engine}


def said(document: dict[str, Any], subject: str) -> str:
    """Give what the loader or the interpreter said of a module."""
    (words,) = [each["said"] for each in document["findings"] if each["subject"] == subject]
    return str(words)


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_sklearn_works_in_the_image_of_its_runtime(
    engines: Engines, engine_name: str, builder: Builder, version: str
) -> None:
    layer = builder.layer("sklearn", "-r", version)
    # Docker runs all imports of the recipe, podman two: they are the same code in the same image.
    some = () if engine_name == "docker" else ("--import", "sklearn.ensemble", "--import", "pandas")
    code, document = builder.verify_in(engines(engine_name, version), layer, *some)
    assert document["findings"] == []
    assert code == 0
    assert document["engine"] == "container"
    assert {each["module"] for each in document["imports"]} >= {"sklearn.ensemble", "pandas"}
    assert all(each["seconds"] > 0 and each["peak"] > 0 for each in document["imports"])
    assert any(f"AWS's image for python{version}" in line for line in document["checked"])


def test_a_layer_for_another_python_fails_and_static_says_so_beforehand(
    engines: Engines, engine_name: str, builder: Builder
) -> None:
    layer = builder.layer("sklearn", "-r", "3.12")
    code, document = builder.verify_in(engines(engine_name, "3.11"), layer, "-r", "3.11", "-a", "x86_64")
    assert code == 1
    assert "foreign-abi" in told(document, "static").values()
    assert told(document, "container")["sklearn.ensemble"] == "foreign-abi"
    assert told(document, "container")["pandas"] == "foreign-abi"
    assert said(document, "pandas").startswith("ModuleNotFoundError: No module named 'numpy._core._multi")


def test_a_library_for_a_newer_glibc_fails_as_on_lambda(
    engines: Engines, engine_name: str, builder: Builder
) -> None:
    # For Amazon Linux 2023 the newest wheel is taken, which serves python3.11 too and wants its glibc 2.34.
    layer = builder.layer("--require", "cryptography", "-r", "3.12", "--name", "crypto")
    arguments = (layer, "-r", "3.11", "-a", "x86_64", "--import", "cryptography.hazmat.bindings._rust")
    code, document = builder.verify_in(engines(engine_name, "3.11"), *arguments)
    assert code == 1
    assert "glibc-too-new" in told(document, "static").values()
    (finding,) = [each for each in document["findings"] if each["engine"] == "container"]
    assert (finding["kind"], finding["subject"]) == ("glibc-too-new", "cryptography.hazmat.bindings._rust")
    assert re.match(
        r"ImportError: /\S+: version `GLIBC_2\.\d+' not found \(required by /opt/", finding["said"]
    )


@pytest.mark.usefixtures("arm64_runs")
def test_an_arm64_layer_runs_in_an_arm64_container(
    engines: Engines, engine_name: str, builder: Builder
) -> None:
    layer = builder.layer("--require", "numpy", "-r", "3.13", "-a", "arm64")
    code, document = builder.verify_in(engines(engine_name, "3.13", "arm64"), layer, "--import", "numpy")
    assert (code, document["findings"]) == (0, [])
    assert document["architecture"] == "arm64"
    if platform.machine() == "x86_64":
        assert "they are those of an emulation" in {each["why"] for each in document["unchecked"]}


def test_a_layer_of_the_wrong_machine_is_named(engines: Engines, builder: Builder) -> None:
    layer = builder.layer("--require", "numpy", "-r", "3.13", "-a", "arm64")
    engine = engines("docker", "3.13")
    code, document = builder.verify_in(engine, layer, "-r", "3.13", "-a", "x86_64", "--import", "numpy")
    assert code == 1
    assert "wrong-machine" in told(document, "static").values()
    assert told(document, "container") == {"numpy": "wrong-machine"}


def test_a_handler_is_called_through_the_real_emulator(
    engines: Engines, engine_name: str, builder: Builder, tmp_path: Path
) -> None:
    layer = builder.layer("--require", "numpy", "-r", "3.12", "--name", "numbers")
    (tmp_path / "app.py").write_text(HANDLER, encoding="utf-8")
    arguments = ("--handler", f"{tmp_path}/app.py:handler", "--event", '{"numbers": [1, 2, 3]}')
    code, document = builder.verify_in(engines(engine_name, "3.12"), layer, *arguments)
    assert code == 0
    called = document["handler"]
    assert json.loads(called["result"]) == {"sum": 6, "file": "/opt/python/numpy/__init__.py"}
    assert called["billed_milliseconds"] > 0
    assert called["init_seconds"] > 0
    assert called["max_memory"] > 20 << 20


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_sklearn_works_natively(builder: Builder, version: str) -> None:
    if int(version.partition(".")[2]) not in pythons():
        unavailable(f"this machine has no Python {version}")
    options = ("--engine", "native")
    code, document = builder.verify(builder.layer("sklearn", "-r", version), *options)
    assert (code, document["findings"]) == (0, [])
    assert document["engine"] == "native"
    assert {each["module"] for each in document["imports"]} >= {"sklearn.ensemble", "pandas"}


def test_an_arm64_layer_runs_under_qemu(builder: Builder, arm64_root: Path) -> None:
    layer = builder.layer("--require", "numpy", "-r", "3.11", "-a", "arm64")
    options = ("--engine", "emulated", "--root", arm64_root, "--import", "numpy.linalg")
    code, document = builder.verify(layer, *options)
    assert (code, document["findings"]) == (0, [])
    assert (document["engine"], document["architecture"]) == ("emulated", "arm64")
    assert [each["module"] for each in document["imports"]] == ["numpy.linalg"]


def test_a_handler_is_called_natively(builder: Builder, tmp_path: Path) -> None:
    if 12 not in pythons():
        unavailable("this machine has no Python 3.12")
    layer = builder.layer("--require", "numpy", "-r", "3.12", "--name", "numbers")
    (tmp_path / "app.py").write_text(HANDLER, encoding="utf-8")
    arguments = ("--handler", f"{tmp_path}/app.py:handler", "--event", '{"numbers": [1, 2, 3]}')
    code, document = builder.verify(layer, "--engine", "native", *arguments)
    assert code == 0
    called = document["handler"]
    assert json.loads(called["result"])["sum"] == 6
    assert called["billed_milliseconds"] > 0
    assert called["init_seconds"] > 0
