"""What AWS's emulator of the runtime interface answers, read by the program that runs in the image."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from probed_layers import pythons

from layercraft.verification import emulator_client
from layercraft.verification.emulator_client import read

RAISED = {"errorMessage": "x", "errorType": "ValueError", "requestId": "1", "stackTrace": []}
EXITED = {"errorType": "Runtime.ExitError", "errorMessage": "Runtime exited"}


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, "null", {"result": "null"}),
        (200, '"timed out"', {"result": '"timed out"'}),
        (200, '{"errorMessage": "mine"}', {"result": '{"errorMessage": "mine"}'}),
        (200, json.dumps(RAISED), {"error": RAISED}),
        (502, json.dumps(EXITED), {"error": EXITED}),
        (502, "7", {"error": {"errorMessage": "7"}}),
        (
            200,
            "Task timed out after 3.00 seconds",
            {"error": {"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 3.00 seconds"}},
        ),
        (
            502,
            "",
            {
                "error": {
                    "errorType": "Sandbox.Failure",
                    "errorMessage": "the runtime ended without an answer",
                }
            },
        ),
    ],
)
def test_results_and_errors_are_told_apart(status: int, body: str, outcome: dict[str, Any]) -> None:
    assert read(status, body) == outcome


@pytest.mark.parametrize("minor", sorted(pythons()))
def test_every_python_can_run_it(minor: int) -> None:
    python = pythons()[minor]
    command = [str(python.executable), "-I", "-B", "-W", "error", emulator_client.__file__]
    libraries = {"LD_LIBRARY_PATH": python.libraries}
    ran = subprocess.run(command, env=libraries, capture_output=True, encoding="utf-8", check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
