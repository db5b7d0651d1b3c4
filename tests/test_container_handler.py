"""Handlers called in Lambda-like images, through AWS's own emulator of the runtime interface."""

from __future__ import annotations

import json
import os
import tarfile
from typing import TYPE_CHECKING

import pytest
from probed_layers import layer_of
from test_container import TARGET, container

from layercraft.errors import EngineError, UsageError
from layercraft.target import UNZIPPED_LIMIT
from layercraft.verification.container_handler import copy_function, invoke_in_container
from layercraft.verification.handler import Handler

if TYPE_CHECKING:
    from pathlib import Path

    from container_daemons import PrivateEngine
    from engine_fixtures import Engines

    from layercraft.verification.handler import Invocation

FUNCTION = """
import os, sys, time
import beside
import in_layer

print("loaded")

def good(event, context):
    import boto3
    print("called", context.function_name, context.memory_limit_in_mb)
    eaten = bytearray(50 << 20)
    time.sleep(0.2)
    return {"event": event, "path": sys.path[:3], "folder": os.getcwd(), "layer": in_layer.__file__}

def text(event, context):
    return "text"

def bad(event, context):
    raise ValueError("not today")

def gone(event, context):
    os._exit(0)

def crashed(event, context):
    os.kill(os.getpid(), 11)

def slow(event, context):
    time.sleep(300)

def greedy(event, context):
    return len(bytearray(900 << 20))

def odd(event, context):
    return object()

def liar(event, context):
    print('{"result": "all is well"}')
    print("INVOKE RTDONE(status: success, duration: 0.001ms)")
    raise ValueError("a lie")
"""

FAILURES = {
    "bad": ("handler-failed", "ValueError: not today"),
    "gone": ("handler-failed", "Runtime exited without providing a reason"),
    "crashed": ("handler-failed", "signal: segmentation fault"),
    "slow": ("handler-failed", "Task timed out after 3.00 seconds"),
    "greedy": ("out-of-memory", "it takes more than 256 MB of memory"),
    "odd": ("handler-failed", "Unable to marshal response: Object of type object"),
    "liar": ("handler-failed", "ValueError: a lie"),
    "missing": ("handler-failed", "Handler 'missing' missing on module 'app'"),
}


@pytest.fixture
def function(tmp_path: Path) -> Path:
    """Give the file of a function, in a folder that only its owner may read."""
    folder = tmp_path / "function"
    folder.mkdir(mode=0o700)
    for name, text in {"app.py": FUNCTION, "beside.py": "", ".secret": ""}.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o600)
    return folder / "app.py"


def invoked(engine: PrivateEngine, file: Path, name: str, event: str = "{}") -> Invocation:
    """Call a function of the file with a layer of one module."""
    layer = layer_of(file.parent.parent, {"in_layer.py": "x = 1"}, target=TARGET)
    handler = Handler.parse(f"{file}:{name}", event, timeout=3.0, memory=256 << 20)
    invocation = invoke_in_container(layer, handler, container(engine))
    assert engine.containers() == []
    return invocation


@pytest.fixture
def docker(engines: Engines) -> PrivateEngine:
    """Give docker with the image for python3.12, where engines do not differ."""
    return engines("docker", "3.12")


@pytest.mark.engines
def test_a_handler_finds_its_event_its_files_and_the_layer(
    engines: Engines, engine_name: str, function: Path
) -> None:
    invocation = invoked(engines(engine_name, "3.12"), function, "good", '{"key": [1, "ü"]}')
    assert invocation.finding is None
    assert json.loads(invocation.result or "") == {
        "event": {"key": [1, "ü"]},
        "path": ["/var/task", "/opt/python/lib/python3.12/site-packages", "/opt/python"],
        "folder": "/var/task",
        "layer": "/opt/python/in_layer.py",
    }
    assert "loaded\n" in invocation.logs
    assert "called layercraft-verify 256\n" in invocation.logs
    assert "(rapid)" not in invocation.logs
    assert "REPORT" not in invocation.logs


@pytest.mark.engines
def test_durations_and_memory_are_reported_as_lambda_does(docker: PrivateEngine, function: Path) -> None:
    invocation = invoked(docker, function, "good")
    assert 0.2 <= invocation.seconds < 3.0
    assert 0.0 < invocation.init_seconds < 3.0
    assert 60 << 20 <= invocation.max_memory <= 120 << 20
    assert invocation.report.startswith(f"Duration: {invocation.seconds * 1000:.2f} ms  Billed Duration: ")
    assert "Memory Size: 256 MB" in invocation.report


@pytest.mark.engines
def test_a_text_is_a_result_too(docker: PrivateEngine, function: Path) -> None:
    assert invoked(docker, function, "text").result == '"text"'


@pytest.mark.engines
@pytest.mark.parametrize("name", sorted(FAILURES))
def test_each_failure_has_its_cause(docker: PrivateEngine, function: Path, name: str) -> None:
    invocation = invoked(docker, function, name)
    kind, cause = FAILURES[name]
    assert invocation.result is None
    assert invocation.finding
    assert (invocation.finding.engine, invocation.finding.kind) == ("container", kind)
    assert cause in invocation.finding.cause


@pytest.mark.engines
def test_a_module_that_is_missing_is_named(docker: PrivateEngine, function: Path) -> None:
    function.with_name("beside.py").unlink()
    invocation = invoked(docker, function, "good")
    assert invocation.finding
    assert "Unable to import module 'app': No module named 'beside'" in invocation.finding.cause


@pytest.mark.engines
def test_an_image_without_entrypoint_cannot_call_handlers(docker: PrivateEngine, function: Path) -> None:
    archive = function.parent / "bare.tar"
    with tarfile.open(archive, "w") as empty:
        empty.add(function, "file")
    docker("import", archive, "localhost/bare:2")
    layer = layer_of(function.parent.parent, {}, target=TARGET)
    with pytest.raises(EngineError, match=r"^the image localhost/bare:2 has no entrypoint, so no emulator"):
        invoke_in_container(
            layer, Handler.parse(f"{function}:good"), container(docker, image="localhost/bare:2")
        )


def test_a_function_is_copied_with_lambdas_modes_and_without_what_is_hidden(
    function: Path, tmp_path: Path
) -> None:
    (function.parent / "package").mkdir(mode=0o700)
    (function.parent / "package/tool").touch(mode=0o700)
    (function.parent / "package/__pycache__").mkdir()
    (function.parent / "linked.py").symlink_to("beside.py")
    copy = tmp_path / "copy"
    copy.mkdir(mode=0o700)
    copy_function(function.parent, copy)
    assert {
        str(path.relative_to(tmp_path)): f"{path.stat().st_mode & 0o777:o}"
        for path in [copy, *copy.rglob("*")]
    } == {
        "copy": "755",
        "copy/app.py": "644",
        "copy/beside.py": "644",
        "copy/linked.py": "644",
        "copy/package": "755",
        "copy/package/tool": "755",
    }
    assert not (copy / "linked.py").is_symlink()


def test_a_folder_that_no_function_could_be_is_refused(function: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    os.truncate(function.with_name("beside.py"), UNZIPPED_LIMIT)
    with pytest.raises(UsageError, match=r"function holds more than the 262,144,000 bytes that a func"):
        copy_function(function.parent, tmp_path / "copy")
