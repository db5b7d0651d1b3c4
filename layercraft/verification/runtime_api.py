"""Lambda's Runtime API on the loopback, for one invocation (AWS Lambda developer guide, "Runtime API").

Only the standard library, Python 3.8 to 3.15: the probe runs this text inside of the sandbox, where
the runtime's own client, awslambdaric, finds it under AWS_LAMBDA_RUNTIME_API.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TYPE_CHECKING = False  # typing itself is not loaded inside of a sandbox
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

VERSION = "/2018-06-01/runtime"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:layercraft-verify"
ACCEPTED = 202


class RuntimeApi:
    """Hands out one event, takes what comes back, and the times of both. `close` ends it.

    `outcome` is None until the runtime has answered, then one of {"result": TEXT}, {"error": OBJECT}
    and {"init_error": OBJECT}. `asked` and `answered` are what `time.monotonic` gave when the runtime
    asked for its first event and when it had answered; 0.0 before that.
    """

    def __init__(self, event: str, timeout: float) -> None:
        self.outcome: dict[str, Any] | None = None
        self.asked = self.answered = 0.0
        self.request_id = str(uuid.uuid4())
        self._event = event.encode()
        self._timeout = timeout
        self._done = threading.Event()
        self._closed = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))

    @property
    def address(self) -> str:
        """What AWS_LAMBDA_RUNTIME_API shall be; it may be told to the runtime before `start`."""
        return f"127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        """Answer from now on, in threads."""
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def wait(self, is_running: Callable[[], bool]) -> dict[str, Any] | None:
        """Wait for the outcome; give None when `is_running` turns false before there is one."""
        while not self._done.wait(0.02):
            if not is_running() and not self._done.wait(0.1):
                return None
        return self.outcome

    def close(self) -> None:
        """End all threads."""
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()

    def next_event(self) -> tuple[bytes, dict[str, str]]:
        """Give the event and its headers; the second call waits until the end."""
        if self.asked:
            self._closed.wait()
        self.asked = time.monotonic()
        deadline = (time.time() + self._timeout) * 1000
        return self._event, {
            "Lambda-Runtime-Aws-Request-Id": self.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(deadline)),
            "Lambda-Runtime-Invoked-Function-Arn": ARN,
        }

    def take(self, path: str, body: bytes) -> bool:
        """Take what the runtime posts; tell whether it is something that the interface knows."""
        now = time.monotonic()
        invocation = f"{VERSION}/invocation/{self.request_id}"
        if path == f"{invocation}/response":
            outcome: dict[str, Any] = {"result": body.decode("utf-8", "replace")}
        elif path == f"{invocation}/error":
            outcome = {"error": _object(body)}
        elif path == f"{VERSION}/init/error":
            outcome = {"init_error": _object(body)}
        else:
            return False
        if self.outcome is None:
            self.answered, self.outcome = now, outcome
            self._done.set()
        return True


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: the runtime is killed while it waits for its second event."""


def _handler_for(api: RuntimeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path != f"{VERSION}/invocation/next":
                self._answer(404, b"{}", {})
                return
            event, headers = api.next_event()
            self._answer(200, event, headers)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            known = api.take(self.path, body)
            self._answer(ACCEPTED if known else 404, b'{"status":"OK"}' if known else b"{}", {})

        def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _object(body: bytes) -> dict[str, Any]:
    """Read an error as the runtime tells it: errorType, errorMessage, stackTrace."""
    try:
        error = json.loads(body.decode("utf-8", "replace"))
    except ValueError:
        error = None
    return error if isinstance(error, dict) else {"errorMessage": body.decode("utf-8", "replace")}
