"""One invocation of a handler: the Runtime API, and awslambdaric against it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest
from probed_layers import HERE, METADATA, layer_of, native_engine, pythons

from layercraft.cli.verdicts import show_verification, verification_document
from layercraft.console import Console
from layercraft.errors import UsageError
from layercraft.runtime_packages import lay_out_runtime_packages
from layercraft.sources import open_sources
from layercraft.verification.handler import Handler, Invocation, invoke_locally
from layercraft.verification.report import Finding, Verification
from layercraft.verification.runtime_api import VERSION, RuntimeApi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from layercraft.verification.layer import LayerUnderTest

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="layers run on Linux")


# The Runtime API


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    """Open the interface for one event."""
    opened = RuntimeApi('{"key": "value"}', 5.0)
    opened.start()
    yield opened
    opened.close()


def asked(api: RuntimeApi, method: str, path: str, body: str = "") -> tuple[int, dict[str, str], bytes]:
    """Ask the interface something."""
    connection = HTTPConnection(api.address, timeout=5)
    connection.request(method, path, body or None)
    response = connection.getresponse()
    answer = response.status, dict(response.getheaders()), response.read()
    connection.close()
    return answer


def test_the_event_comes_with_its_headers(api: RuntimeApi) -> None:
    status, headers, body = asked(api, "GET", f"{VERSION}/invocation/next")
    assert (status, body) == (200, b'{"key": "value"}')
    assert headers["Lambda-Runtime-Aws-Request-Id"] == api.request_id
    assert headers["Lambda-Runtime-Invoked-Function-Arn"].startswith("arn:aws:lambda:")
    assert len(headers["Lambda-Runtime-Deadline-Ms"]) == 13


@pytest.mark.parametrize(
    ("path", "body", "outcome"),
    [
        ("invocation/{id}/response", '{"a": 1}', {"result": '{"a": 1}'}),
        ("invocation/{id}/response", "", {"result": ""}),
        ("invocation/{id}/error", '{"errorType": "KeyError"}', {"error": {"errorType": "KeyError"}}),
        ("invocation/{id}/error", "words", {"error": {"errorMessage": "words"}}),
        ("invocation/{id}/error", "[]", {"error": {"errorMessage": "[]"}}),
        ("init/error", '{"errorType": "Import"}', {"init_error": {"errorType": "Import"}}),
    ],
)
def test_what_the_runtime_posts_is_the_outcome(
    api: RuntimeApi, path: str, body: str, outcome: dict[str, Any]
) -> None:
    asked(api, "GET", f"{VERSION}/invocation/next")
    status, _, _ = asked(api, "POST", f"{VERSION}/{path.format(id=api.request_id)}", body)
    assert status == 202
    assert api.wait(lambda: True) == outcome
    assert 0 < api.asked <= api.answered


def test_the_first_outcome_stays(api: RuntimeApi) -> None:
    for body in ('"first"', '"second"'):
        asked(api, "POST", f"{VERSION}/invocation/{api.request_id}/response", body)
    assert api.outcome == {"result": '"first"'}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", f"{VERSION}/restore/next"),
        ("POST", f"{VERSION}/invocation/another/response"),
        ("POST", f"{VERSION}/invocation/next"),
    ],
)
def test_what_it_does_not_know_is_refused(api: RuntimeApi, method: str, path: str) -> None:
    assert asked(api, method, path)[0] == 404
    assert api.outcome is None


def test_a_second_event_never_comes(api: RuntimeApi) -> None:
    asked(api, "GET", f"{VERSION}/invocation/next")
    statuses: list[int] = []
    thread = threading.Thread(
        target=lambda: statuses.append(asked(api, "GET", f"{VERSION}/invocation/next")[0])
    )
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    api.close()
    thread.join(5)
    assert not thread.is_alive()


def test_a_runtime_that_ends_without_an_answer_is_not_waited_for(api: RuntimeApi) -> None:
    assert api.wait(lambda: False) is None


@linux
@pytest.mark.parametrize("minor", range(8, 15))
def test_it_runs_on_every_python_of_this_machine(minor: int, api: RuntimeApi) -> None:
    if minor not in pythons():
        pytest.skip(f"this machine has no Python 3.{minor}")
    from layercraft.verification.probe_channel import program

    source = program("runtime_api.py").decode()
    source += "\napi = RuntimeApi('{}', 1.0)\napi.start()\nprint(api.next_event()[0])\napi.close()\n"
    ran = subprocess.run(
        [pythons()[minor].executable, "-I", "-S", "-W", "error", "-"],
        input=source,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert ran.stdout == "b'{}'\n"
    assert api


# What was asked for


def test_a_handler_is_named_by_file_and_function(tmp_path: Path) -> None:
    (tmp_path / "app.py").touch()
    handler = Handler.parse(f"{tmp_path}/app.py:work", '{"a": 1}', timeout=3.0)
    assert (handler.file, handler.function, handler.name) == (tmp_path / "app.py", "work", "app.work")
    assert (handler.event, handler.timeout, handler.memory) == ('{"a": 1}', 3.0, 512 << 20)


@pytest.mark.parametrize(
    ("text", "event", "complaint"),
    [
        ("app.py", "{}", "expected FILE:FUNCTION"),
        (":work", "{}", "expected FILE:FUNCTION"),
        ("{}/app.py:", "{}", "expected FILE:FUNCTION"),
        ("{}/app.py:1x", "{}", "expected FILE:FUNCTION"),
        ("{}/missing.py:work", "{}", "there is no Python file"),
        ("{}:work", "{}", "there is no Python file"),
        ("{}/app.py:work", "{", "--event is no JSON"),
    ],
)
def test_what_names_no_handler_or_event_is_an_error(
    tmp_path: Path, text: str, event: str, complaint: str
) -> None:
    (tmp_path / "app.py").touch()
    with pytest.raises(UsageError, match=complaint):
        Handler.parse(text.replace("{}", str(tmp_path)), event)


def test_time_is_billed_in_whole_milliseconds_upwards() -> None:
    invocation = Invocation(
        handler="app.work", seconds=0.0121, init_seconds=0.5, max_memory=70 << 20, memory=512 << 20
    )
    assert invocation.billed == 13
    assert invocation.report == (
        "Duration: 12.10 ms  Billed Duration: 13 ms  Memory Size: 512 MB  Max Memory Used: 70 MB  "
        "Init Duration: 500.00 ms"
    )


# awslambdaric

APP = """
import os, sys
import pack

print("loaded", flush=True)

def answer(event, context):
    print("called", context.aws_request_id != "", context.get_remaining_time_in_millis() > 1000)
    return {"got": event, "from": pack.NAME, "at": os.getcwd(), "memory": context.memory_limit_in_mb}

def fails(event, context):
    raise KeyError("missing")

def leaves(event, context):
    os._exit(0)

def exits(event, context):
    sys.exit(3)

def crashes(event, context):
    os.kill(os.getpid(), 11)

def sleeps(event, context):
    import time
    time.sleep(60)

def eats(event, context):
    eaten = []
    while True:
        eaten.append(bytearray(1 << 20))

def calls_out(event, context):
    import socket
    socket.create_connection(("192.0.2.1", 9), 20)

def uses_sdk(event, context):
    import boto3
    return boto3.client("s3").meta.region_name
"""

FAILING = {
    "fails": ("handler-failed", "KeyError: 'missing'"),
    "leaves": ("handler-failed", "the runtime ended with exit code 0 without an answer"),
    "exits": ("handler-failed", "the runtime ended with exit code 3 without an answer"),
    "crashes": ("handler-failed", "the runtime was killed by SIGSEGV without an answer"),
    "sleeps": ("handler-failed", "it does not end within 2 seconds"),
    "eats": ("out-of-memory", "it takes more than 256 MB of memory"),
    "calls_out": ("handler-failed", "OSError: [Errno 101] Network is unreachable"),
    "is_missing": ("handler-failed", "Runtime.HandlerNotFound: Handler 'is_missing' missing on module 'app'"),
}


@pytest.fixture(scope="module")
def runtime_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give what Lambda's runtime brings for the Python of these tests."""
    folder = tmp_path_factory.mktemp("runtime")
    with open_sources() as sources:
        return lay_out_runtime_packages(HERE, sources, folder / "packages")


@pytest.fixture
def function(tmp_path: Path) -> Path:
    """Write the function, and give its folder."""
    folder = tmp_path / "function"
    folder.mkdir()
    (folder / "app.py").write_text(APP, encoding="utf-8")
    (tmp_path / "scratch").mkdir()
    return folder


@pytest.fixture
def layer(tmp_path: Path) -> LayerUnderTest:
    """Give a layer with a module that the function imports."""
    files = {"pack.py": "NAME = 'the layer'", "pack-1.0.dist-info/METADATA": METADATA.format("pack", "1.0")}
    return layer_of(tmp_path, files)


def invoked(function: Path, layer: LayerUnderTest, runtime_packages: Path, name: str) -> Invocation:
    """Call one of the functions in APP; nothing may be left afterwards."""
    handler = Handler.parse(f"{function}/app.py:{name}", '{"n": 1}', timeout=2.0, memory=256 << 20)
    scratch = function.parent / "scratch"
    invocation = invoke_locally(layer, handler, native_engine(scratch), runtime_packages)
    assert list(scratch.iterdir()) == []
    assert sorted(path.name for path in function.iterdir()) == ["app.py"]
    return invocation


@linux
@pytest.mark.network
def test_a_handler_gets_the_event_and_sees_the_layer(
    function: Path, layer: LayerUnderTest, runtime_packages: Path
) -> None:
    invocation = invoked(function, layer, runtime_packages, "answer")
    assert invocation.finding is None
    assert invocation.result
    assert json.loads(invocation.result) == {
        "got": {"n": 1},
        "from": "the layer",
        "at": str(function),
        "memory": "256",
    }
    assert invocation.logs.split("\n")[:2] == ["loaded", "called True True"]
    assert 0 < invocation.seconds < 2
    assert 0 < invocation.init_seconds < 2
    assert 5 << 20 < invocation.max_memory < 100 << 20


@linux
@pytest.mark.network
@pytest.mark.parametrize("name", FAILING)
def test_a_handler_that_fails_is_told_with_its_cause(
    function: Path, layer: LayerUnderTest, runtime_packages: Path, name: str
) -> None:
    kind, cause = FAILING[name]
    invocation = invoked(function, layer, runtime_packages, name)
    assert invocation.result is None
    assert invocation.finding
    assert (invocation.finding.kind, invocation.finding.subject) == (kind, f"app.{name}")
    assert invocation.finding.cause.startswith(cause)


@linux
@pytest.mark.network
def test_the_sdk_that_lambda_brings_is_there(
    function: Path, layer: LayerUnderTest, runtime_packages: Path
) -> None:
    assert invoked(function, layer, runtime_packages, "uses_sdk").result == '"us-east-1"'


@linux
@pytest.mark.network
def test_what_the_layer_lacks_is_told(function: Path, tmp_path: Path, runtime_packages: Path) -> None:
    invocation = invoked(function, layer_of(tmp_path, {"other.py": ""}), runtime_packages, "answer")
    assert invocation.finding
    assert invocation.finding.cause == (
        "Runtime.ImportModuleError: Unable to import module 'app': No module named 'pack'"
    )


def test_a_layer_whose_handler_fails_does_not_pass(capsys: pytest.CaptureFixture[str]) -> None:
    verification = Verification(
        engine="native", zip="a.zip", runtime="python3.12", architecture="x86_64", ran_imports=True
    )
    finding = Finding(engine="native", kind="handler-failed", subject="app.work", cause="KeyError: 'x'")
    failed = Invocation(handler="app.work", finding=finding)
    document = verification_document(verification, failed)
    assert (document["passed"], document["exit_code"]) == (False, 1)
    document = verification_document(verification, Invocation(handler="app.work", result="1"))
    assert (document["passed"], document["exit_code"]) == (True, 0)

    show_verification(Console(no_color=True), verification, failed)
    assert capsys.readouterr().out.splitlines()[-1] == (
        "a.zip: fails on python3.12 x86_64: 1 finding, engine native"
    )
