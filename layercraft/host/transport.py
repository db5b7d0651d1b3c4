"""HTTP/1.1 connections: one pool of httpx for all threads, and what went wrong in people's words.

httpx is imported and the certificates are read when the first request is made. Proxies and
`SSL_CERT_FILE` are understood as httpx does.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from layercraft.errors import UsageError, reason_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping

    import httpx

CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 30.0  # seconds without a single byte
CONNECTIONS = 32
_CHUNK = 1 << 18  # bytes


class BrokenConnectionError(Exception):
    """A request that got no whole answer. `passing` tells whether another try may help."""

    def __init__(self, reason: str, *, passing: bool, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.passing = passing
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer whose body is not read yet. Use as a context manager: it gives the connection back."""

    response: httpx.Response
    ended: Callable[[], None]
    """Called once when the connection was given back."""

    @property
    def status(self) -> int:
        """The HTTP status code."""
        return self.response.status_code

    @property
    def headers(self) -> dict[str, str]:
        """The headers, keys in lower case."""
        return dict(self.response.headers)

    @property
    def url(self) -> str:
        """The address that answered, after redirects."""
        return str(self.response.url)

    def chunks(self, *, decoded: bool) -> Iterator[bytes]:
        """The body as it arrives, with Content-Encoding undone if `decoded`; all but the last are large.

        Raises BrokenConnectionError, after what arrived before was given.
        """
        from httpx import HTTPError

        pieces, size = [], 0
        broken = None
        try:
            for piece in self.response.iter_bytes() if decoded else self.response.iter_raw():
                pieces.append(piece)
                size += len(piece)
                if size >= _CHUNK:
                    yield b"".join(pieces)
                    pieces, size = [], 0
        except HTTPError as error:
            broken = _translated(error)
        if pieces:
            yield b"".join(pieces)
        if broken is not None:
            raise broken

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.response.close()
        finally:
            self.ended()


class Transport:
    """A pool of kept connections, made on the first request; safe for many threads.

    `trusted` reads whose certificates count, in a thread, while httpx is imported; without it, httpx does
    so afterwards. Threads may be at a request when it is closed. Then the last of them closes the
    connections: under their feet, httpx would lose some of them.
    """

    def __init__(self, user_agent: str | None, trusted: Callable[[], ssl.SSLContext] | None = None) -> None:
        self._user_agent = user_agent
        self._trusted = trusted
        self._pool: httpx.Client | None = None
        self._closed = False
        self._asking = 0
        self._lock = threading.Lock()

    def open(self, url: str, headers: Mapping[str, str]) -> Reply:
        """Send a GET, follow redirects, and give the answer once its headers are there.

        Raises BrokenConnectionError.
        """
        pool = self._begin()
        from httpx import HTTPError, InvalidURL

        try:
            request = pool.build_request("GET", url, headers=dict(headers))
            return Reply(pool.send(request, stream=True), self._end)
        except BaseException as error:
            self._end()
            if isinstance(error, HTTPError | InvalidURL):
                raise _translated(error) from error
            raise

    def _begin(self) -> httpx.Client:
        """Give the pool to one more request, which tells with `_end` that it is over."""
        with self._lock:
            if self._closed:  # a thread that tries again after its owner is done
                raise BrokenConnectionError("is not asked any more: the client is closed", passing=False)
            if self._pool is None:
                self._pool = _opened_pool(self._user_agent, self._trusted)
            self._asking += 1
            return self._pool

    def _end(self) -> None:
        with self._lock:
            self._asking -= 1
        self._close_when_idle()

    def close(self) -> None:
        """Close all connections, for good; those in use as soon as they are not."""
        with self._lock:
            self._closed = True
        self._close_when_idle()

    def _close_when_idle(self) -> None:
        with self._lock:
            if self._closed and not self._asking and self._pool is not None:
                self._pool.close()
                self._pool = None


def _opened_pool(user_agent: str | None, trusted: Callable[[], ssl.SSLContext] | None) -> httpx.Client:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=1) as aside:
        read = aside.submit(trusted) if trusted else None
        import httpx

        try:
            return httpx.Client(
                headers={"user-agent": user_agent or _default_user_agent()},
                timeout=httpx.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT, pool=None),
                limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
                follow_redirects=True,
                verify=read.result() if read else True,
            )
        except OSError as error:
            raise UsageError(
                f"the certificates that SSL_CERT_FILE names cannot be read: {reason_of(error)}"
            ) from error
        except (httpx.InvalidURL, ValueError, ImportError) as error:
            raise UsageError(
                f"the proxies that the environment names cannot be used: {error}",
                hint="see HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY",
            ) from error


def _translated(error: Exception) -> BrokenConnectionError:
    import socket
    import ssl

    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return BrokenConnectionError(
                f"has a certificate that is not trusted ({cause.verify_message})",
                passing=False,
                hint="set SSL_CERT_FILE to the certificate bundle of your network",
            )
        if isinstance(cause, socket.gaierror):
            passing = cause.errno == socket.EAI_AGAIN
            return BrokenConnectionError("cannot be reached: name not known", passing=passing)
        if isinstance(cause, ConnectionRefusedError):
            return BrokenConnectionError("cannot be reached: connection refused", passing=True)
    return _translated_kind(error)


def _translated_kind(error: Exception) -> BrokenConnectionError:
    import httpx

    kinds: tuple[tuple[tuple[type[Exception], ...], str, bool], ...] = (
        ((httpx.InvalidURL, httpx.UnsupportedProtocol), "is no http or https address", False),
        ((httpx.TooManyRedirects,), "redirects without end", False),
        ((httpx.TimeoutException,), "does not answer in time", True),
        ((httpx.ConnectError, httpx.ProxyError), "cannot be reached", True),
    )
    for types, reason, passing in kinds:
        if isinstance(error, types):
            return BrokenConnectionError(reason, passing=passing)
    return BrokenConnectionError("broke the connection", passing=True)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _default_user_agent() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"layercraft/{version('layercraft')}"
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "layercraft"
