from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from local_index import SIMPLE_JSON, LocalIndex
from wheelhouse import WheelDraft

from layercraft.errors import IndexUnreachableError, OfflineError, UsageError
from layercraft.host.client import BODY_LIMIT, Client

if TYPE_CHECKING:
    from collections.abc import Iterator

CERTIFICATE = Path(__file__).parent / "data" / "loopback.pem"
BIG = os.urandom(3 << 20)


@pytest.fixture
def index() -> Iterator[LocalIndex]:
    with LocalIndex(wheels=[WheelDraft(name="six"), ("big-1.0-py3-none-any.whl", BIG)]) as index:
        yield index


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(pauses: list[float]) -> Iterator[Client]:
    with Client(pause=pauses.append, user_agent="layercraft/test") as client:
        yield client


def read(client: Client, url: str, offset: int = 0) -> bytes:
    with client.stream(url, offset) as chunks:
        return b"".join(chunks)


def run_python(code: str, **environment: str) -> str:
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stdout.strip()


def test_the_module_imports_no_http_library() -> None:
    code = "import layercraft.host.client, sys; print('httpx' in sys.modules, 'ssl' in sys.modules)"
    assert run_python(code) == "False False"


def test_a_page_comes_whole_and_decoded(index: LocalIndex, client: Client) -> None:
    url = f"{index.url}/simple/six/"
    answer = client.get(url, {"accept": SIMPLE_JSON})
    assert answer.status == 200
    assert answer.body.startswith(b'{"meta"')
    assert answer.headers["content-type"] == SIMPLE_JSON
    assert answer.url == url


def test_a_request_names_the_tool_and_asks_for_gzip(index: LocalIndex, client: Client) -> None:
    client.get(f"{index.url}/simple/six/", {"accept": SIMPLE_JSON})
    (request,) = index.requests
    assert request.headers["user-agent"] == "layercraft/test"
    assert request.headers["accept"] == SIMPLE_JSON
    assert request.headers["accept-encoding"] == "gzip"


def test_the_default_user_agent_is_layercraft(index: LocalIndex) -> None:
    with Client() as client:
        client.get(f"{index.url}/simple/six/")
    assert index.requests[0].headers["user-agent"].partition("/")[0] == "layercraft"


def test_a_range_is_asked_for_as_it_is(index: LocalIndex, client: Client) -> None:
    answer = client.get(f"{index.url}/files/big-1.0-py3-none-any.whl", {"Range": "bytes=-10"})
    assert (answer.status, answer.body) == (206, BIG[-10:])
    assert index.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("status", [401, 403, 404, 410, 416])
def test_a_refusal_is_an_answer_and_asked_for_once(index: LocalIndex, client: Client, status: int) -> None:
    index.fail("/simple/", status=status)
    assert client.get(f"{index.url}/simple/six/").status == status
    assert index.count() == 1


def test_another_status_is_an_error_at_once(index: LocalIndex, client: Client) -> None:
    index.fail("/simple/", status=418)
    with pytest.raises(IndexUnreachableError, match=r"^127\.0\.0\.1:\d+/simple/six/ answered 418 \("):
        client.get(f"{index.url}/simple/six/")
    assert index.count() == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again(
    index: LocalIndex, client: Client, pauses: list[float], status: int
) -> None:
    index.fail("/simple/", status=status, times=2)
    assert client.get(f"{index.url}/simple/six/").status == 200
    assert index.count() == 3
    assert len(pauses) == 2
    assert pauses[0] < pauses[1] * 2 < 4


def test_four_failures_are_an_error_that_names_the_host(index: LocalIndex, client: Client) -> None:
    index.fail("/simple/", status=503)
    with pytest.raises(
        IndexUnreachableError, match=r"^127\.0\.0\.1:\d+/simple/six/ answered 503 .*four times$"
    ):
        client.get(f"{index.url}/simple/six/")
    assert index.count() == 4


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("7", (7, 7)),
        ("86400", (60, 60)),
        (format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True), (60, 60)),
        ("Wed, 21 Oct 2015 07:28:00 GMT", (0, 0)),
        ("soon", (0.1, 1)),
    ],
)
def test_retry_after_is_honoured_up_to_a_minute(
    index: LocalIndex, client: Client, pauses: list[float], header: str, expected: tuple[float, float]
) -> None:
    index.fail("/simple/", status=429, headers={"retry-after": header}, times=1)
    client.get(f"{index.url}/simple/six/")
    assert expected[0] <= pauses[0] <= expected[1]


@pytest.mark.parametrize("fault", [{"reset": True}, {"cut": 10}, {"cut": 10, "reset": True}])
def test_a_broken_connection_is_tried_again(
    index: LocalIndex, client: Client, fault: dict[str, object]
) -> None:
    index.fail("/simple/", times=3, **fault)
    assert client.get(f"{index.url}/simple/six/").body.endswith(b"}")
    assert index.count() == 4


def test_a_connection_that_always_breaks_is_an_error(index: LocalIndex, client: Client) -> None:
    index.fail("/simple/", reset=True)
    with pytest.raises(IndexUnreachableError, match=r"broke the connection four times$"):
        client.get(f"{index.url}/simple/six/")


def test_an_endless_page_is_refused(index: LocalIndex, client: Client) -> None:
    index.fail("/simple/", headers={"content-encoding": "gzip"}, status=200, body=_bomb())
    with pytest.raises(IndexUnreachableError, match="answered more than 256 MiB"):
        client.get(f"{index.url}/simple/six/")


def _bomb() -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range((BODY_LIMIT >> 20) + 1)) + packer.flush()


def test_redirects_are_followed_and_told(index: LocalIndex, client: Client) -> None:
    index.fail("/old/", status=302, headers={"location": "/simple/six/"})
    answer = client.get(f"{index.url}/old/six/")
    assert answer.status == 200
    assert answer.url == f"{index.url}/simple/six/"


def test_redirects_without_end_are_an_error(index: LocalIndex, client: Client) -> None:
    index.fail("/old/", status=302, headers={"location": "/old/six/"})
    with pytest.raises(IndexUnreachableError, match=r"^127\.0\.0\.1:\d+ redirects without end$"):
        client.get(f"{index.url}/old/six/")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "http://user:secret@127.0.0.1:1/simple/?token=secret",
            r"127\.0\.0\.1:1/simple/ cannot be reached: connection refused four times",
        ),
        (
            "https://user:secret@nowhere.invalid/simple/",
            r"nowhere\.invalid\S* cannot be reached: name not known.*",
        ),
        ("ftp://user:secret@127.0.0.1/simple/", r"127\.0\.0\.1 is no http or https address"),
        ("packages/six.whl", "packages/six.whl is no http or https address"),
        ("http://user:secret@[::1/simple/", "a malformed address is no http or https address"),
    ],
)
def test_what_cannot_be_reached_is_told_in_one_line(client: Client, url: str, message: str) -> None:
    with pytest.raises(IndexUnreachableError) as caught:
        client.get(url)
    assert "secret" not in str(caught.value)
    assert re.fullmatch(message, caught.value.message)


def test_credentials_in_the_address_are_sent(index: LocalIndex, client: Client) -> None:
    client.get(index.url.replace("//", "//user:p%40ss@") + "/simple/six/")
    assert index.requests[0].headers["authorization"] == "Basic dXNlcjpwQHNz"


def test_a_certificate_that_is_not_trusted_is_told_at_once(client: Client, pauses: list[float]) -> None:
    with LocalIndex(certificate=CERTIFICATE) as index:
        with pytest.raises(IndexUnreachableError, match="certificate that is not trusted") as caught:
            client.get(f"{index.url}/simple/six/")
        assert "SSL_CERT_FILE" in str(caught.value.hint)
    assert not pauses


CODE = "from layercraft.host.client import Client; print(Client().get({url!r}).status)"


def test_ssl_cert_file_makes_a_certificate_trusted() -> None:
    with LocalIndex(wheels=[WheelDraft(name="six")], certificate=CERTIFICATE) as index:
        code = CODE.format(url=f"{index.url}/simple/six/")
        assert run_python(code, SSL_CERT_FILE=str(CERTIFICATE)) == "200"


def test_an_ssl_cert_file_that_is_none_is_told(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    with pytest.raises(UsageError, match="the certificates that SSL_CERT_FILE names cannot be read"):
        client.get("https://localhost/")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NO_PROXY", "a:b"),
        ("ALL_PROXY", "socks4://localhost:1"),
        ("HTTPS_PROXY", "ftp://localhost"),
        ("HTTPS_PROXY", "http://[::1"),
    ],
)
def test_a_proxy_that_cannot_be_is_told(
    client: Client, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for each in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="the proxies that the environment names cannot be used: "):
        client.get("https://localhost/")


def test_a_proxy_of_the_environment_is_asked(index: LocalIndex) -> None:
    code = CODE.format(url="http://nowhere.invalid/simple/six/")
    assert run_python(code, http_proxy=index.url, no_proxy="", NO_PROXY="") == "200"


def test_offline_asks_nobody(index: LocalIndex) -> None:
    with Client(offline=True) as client:
        with pytest.raises(OfflineError, match=r"/simple/six/ is not in the cache"):
            client.get(f"{index.url}/simple/six/")
        with pytest.raises(OfflineError), client.stream(f"{index.url}/simple/six/"):
            pass
    assert not index.requests


def test_a_kept_connection_that_the_server_closed_is_no_failure(
    index: LocalIndex, client: Client, pauses: list[float]
) -> None:
    index.fail("/simple/", cut=1 << 30, times=1)
    client.get(f"{index.url}/simple/six/")
    time.sleep(0.05)
    assert client.get(f"{index.url}/simple/six/").status == 200
    assert not pauses


def test_many_threads_share_one_client(index: LocalIndex, client: Client) -> None:
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: client.get(f"{index.url}/simple/six/").body, range(200)))
    assert len(set(answers)) == 1
    assert index.count() == 200


@pytest.mark.parametrize("offset", [0, 1, 100_000, len(BIG) - 1, len(BIG)])
@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_is_streamed_from_any_offset(
    index: LocalIndex, client: Client, offset: int, *, ranges: bool
) -> None:
    index.ranges = ranges
    assert read(client, f"{index.url}/files/big-1.0-py3-none-any.whl", offset) == BIG[offset:]
    assert index.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("reset", [True, False])
def test_a_broken_read_goes_on_where_it_ended(
    index: LocalIndex, client: Client, *, ranges: bool, reset: bool
) -> None:
    index.ranges = ranges
    index.fail("/files/", cut=400_000, reset=reset, times=1)
    index.fail("/files/", cut=1_000_000, reset=reset, times=1)
    assert read(client, f"{index.url}/files/big-1.0-py3-none-any.whl") == BIG
    assert index.count("/files/") == 3
    assert reset or "range" in index.requests[2].headers  # RST may swallow what was sent before it


def test_a_long_file_may_break_more_often_than_four_times(index: LocalIndex, client: Client) -> None:
    index.add(("huge-1.0-py3-none-any.whl", BIG * 3))
    index.fail("/files/", cut=1_100_000, times=7)
    assert read(client, f"{index.url}/files/huge-1.0-py3-none-any.whl") == BIG * 3


def test_a_read_that_never_advances_is_an_error(index: LocalIndex, client: Client) -> None:
    index.fail("/files/", cut=0)
    with pytest.raises(IndexUnreachableError, match=r"broke the connection four times$"):
        read(client, f"{index.url}/files/big-1.0-py3-none-any.whl")
    assert index.count() == 4


@pytest.mark.parametrize("etags", [True, False])
def test_a_file_that_changes_while_it_is_read_is_refused(
    index: LocalIndex, client: Client, *, etags: bool
) -> None:
    index.etags = etags
    index.last_modified = "Sun, 22 Nov 2026 10:00:00 GMT"
    index.fail("/files/", cut=500_000, times=1)
    with client.stream(f"{index.url}/files/big-1.0-py3-none-any.whl") as chunks:
        next(chunks)
        index.add(("big-1.0-py3-none-any.whl", bytes(len(BIG))))
        index.last_modified = "Sun, 22 Nov 2026 11:00:00 GMT"
        with pytest.raises(IndexUnreachableError, match="changed while it was read"):
            b"".join(chunks)


@pytest.mark.parametrize("status", [304, 401, 403, 404, 416])
def test_a_file_that_is_refused_is_an_error(index: LocalIndex, client: Client, status: int) -> None:
    index.fail("/files/", status=status)
    with pytest.raises(IndexUnreachableError, match=rf"/files/big\S+ answered {status} "):
        read(client, f"{index.url}/files/big-1.0-py3-none-any.whl")


def test_a_client_may_be_closed_unused_and_twice() -> None:
    client = Client()
    client.close()
    client.close()
