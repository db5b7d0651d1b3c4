"""The handler of the temporary function: runs the probe beside it, and gives back what that printed.

A program of its own for Lambda's Pythons; layercraft sends it there and never imports it.
"""

from __future__ import annotations

import os
import subprocess
import sys

TYPE_CHECKING = False  # typing itself is not loaded, as in the probe
if TYPE_CHECKING:
    from typing import Any

MOST = 4 << 20  # bytes; an answer of Lambda has room for 6 MB
LAST = 4096  # bytes of stderr

# ruff: noqa: PTH100, PTH118, PTH120 (pathlib is not loaded here)
PROBE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "probe.py")


def handle(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Do the job of the event, for at most its `patience` in seconds."""
    command = [sys.executable, "-I", "-B", PROBE]
    problem = ""
    try:
        ran = subprocess.run(  # noqa: S603 (the probe that came with this file)
            command,
            input=event["job"].encode(),
            capture_output=True,
            timeout=event["patience"],
            env={**os.environ, "LAYERCRAFT_PROBE": event["token"]},
            check=False,
        )
        out, err, code = ran.stdout, ran.stderr, ran.returncode
    except subprocess.TimeoutExpired as expired:
        out, err, code = expired.stdout or b"", expired.stderr or b"", -9
        problem = "it did not end within {:.0f} seconds".format(event["patience"])
    if len(out) > MOST:
        out, problem = out[:MOST], "it printed more than Lambda hands back"
    return {
        "out": out.decode("utf-8", "replace"),
        "err": err[-LAST:].decode("utf-8", "replace"),
        "code": code,
        "problem": problem,
    }


if __name__ == "__main__":
    raise SystemExit("this runs in AWS Lambda")
