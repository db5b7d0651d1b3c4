"""Calls a function once through AWS's Runtime Interface Emulator, which Lambda's images carry.

Only the standard library, Python 3.8 to 3.15: the probe runs this text inside of the image.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import threading
import time

TYPE_CHECKING = False  # typing itself is not loaded inside of an image
if TYPE_CHECKING:
    from typing import Any

ADDRESS, PORT = "127.0.0.1", 8080
PATH = "/2015-03-31/functions/function/invocations"
LOOK = 0.02  # seconds between two looks at memory, and between two attempts to connect
BEYOND = 10.0  # seconds that the emulator gets on top of the function's own

# How awslambdaric tells of an error, and how the emulator logs the two phases.
ERROR_KEYS = {"errorMessage", "errorType", "requestId", "stackTrace"}
INIT = re.compile(rb"INIT REPORT\(durationMs: ([\d.]+)\)")
INVOKE = re.compile(rb"INVOKE RTDONE\(.*duration: ([\d.]+)ms\)")


def call(item: dict[str, Any]) -> dict[str, Any]:
    """Start the image's entrypoint, post the event, and end what was started.

    Gives `outcome` as `runtime_api.py` describes it, or None when nobody answered; then `status` is how
    the entrypoint ended. `init` and `seconds` are the emulator's own, `peak` bytes of memory.
    """
    process = subprocess.Popen(  # noqa: S603 (the image's own)
        item["command"],
        env=item["environment"],
        cwd=item["folder"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    log, memory = Log(process), Memory(process)
    started = time.monotonic()
    try:
        answer = post(item["event"].encode(), item["timeout"] + BEYOND, process)
    finally:
        total = time.monotonic() - started
        peak = memory.end()
        status = process.poll()
        process.send_signal(signal.SIGTERM)
        log.end()
    outcome = answer and read(*answer)
    init = log.init or 0.0
    seconds = total - init if log.invoke is None else log.invoke
    return {"outcome": outcome, "status": status, "init": init, "seconds": seconds, "peak": peak}


def post(event: bytes, timeout: float, process: subprocess.Popen[bytes]) -> tuple[int, str] | None:
    """Post the event as soon as the emulator listens; None when it ended or did not answer in time."""
    end = time.monotonic() + timeout
    while time.monotonic() < end and process.poll() is None:
        connection = http.client.HTTPConnection(ADDRESS, PORT, timeout=max(LOOK, end - time.monotonic()))
        try:
            connection.request("POST", PATH, body=event)
            response = connection.getresponse()
            return response.status, response.read().decode("utf-8", "replace")
        except OSError:
            time.sleep(LOOK)
        finally:
            connection.close()
    return None


def read(status: int, body: str) -> dict[str, Any]:
    """Tell a result from an error: with 200 the emulator gives both, and a sentence for a time-out."""
    try:
        document = json.loads(body)
    except ValueError:
        kind = "Sandbox.Timedout" if "timed out" in body else "Sandbox.Failure"
        return {"error": {"errorType": kind, "errorMessage": body or "the runtime ended without an answer"}}
    if status != http.client.OK:
        return {"error": document if isinstance(document, dict) else {"errorMessage": body}}
    if isinstance(document, dict) and set(document) == ERROR_KEYS:
        return {"error": document}
    return {"result": body}


class Log(threading.Thread):
    """Passes on what emulator and function print, and finds the emulator's times in it, in seconds."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        self.init: float | None = None
        self.invoke: float | None = None
        self._pipe = process.stdout
        self.start()

    def run(self) -> None:
        """Read to the end."""
        for line in self._pipe or ():
            init, invoke = INIT.search(line), INVOKE.search(line)
            if init and self.init is None:
                self.init = float(init[1]) / 1000
            if invoke:
                self.invoke = float(invoke[1]) / 1000
            os.write(1, line)

    def end(self) -> None:
        """Wait until all is read, but not for long: the function's children may keep the pipe."""
        self.join(1.0)


class Memory(threading.Thread):
    """Looks at what the function's processes take, all but the emulator itself."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        self._peak = 0
        self._others = {str(pid) for pid in (1, os.getpid(), process.pid)}
        self._ended = threading.Event()
        self.start()

    def run(self) -> None:
        """Look again and again."""
        while not self._ended.wait(LOOK):
            self._look()

    def end(self) -> int:
        """Look once more, and give the most bytes that one process took."""
        self._ended.set()
        self.join()
        self._look()
        return self._peak

    def _look(self) -> None:
        for pid in os.listdir("/proc"):  # noqa: PTH208 (pathlib is not loaded here)
            if pid.isdigit() and pid not in self._others:
                self._peak = max(self._peak, highest_mark(pid))


def highest_mark(pid: str) -> int:
    """Give the bytes of memory that a process took at its peak."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:  # noqa: PTH123 (pathlib is not loaded here)
            return sum(int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM:"))
    except OSError:  # it has ended
        return 0
