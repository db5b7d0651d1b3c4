from __future__ import annotations

import re
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from local_index import LocalIndex
from wheelhouse import WheelDraft

from layercraft.errors import IndexUnreachableError, UsageError
from layercraft.host.client import Client
from layercraft.host.trust import trusted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CERTIFICATE = Path(__file__).parent / "data" / "loopback.pem"
HASHED_NAME = "3211c955.0"
"""The name by which OpenSSL looks for it in a folder: `openssl x509 -hash`."""


@pytest.fixture
def url() -> Iterator[str]:
    with LocalIndex(wheels=[WheelDraft(name="six")], certificate=CERTIFICATE) as index:
        yield f"{index.url}/simple/six/"


def status(url: str, environment: Mapping[str, str]) -> int:
    with Client(trusted=partial(trusted, environment)) as client:
        return client.get(url).status


def test_a_file_of_certificates_is_trusted(url: str) -> None:
    assert status(url, {"SSL_CERT_FILE": str(CERTIFICATE), "SSL_CERT_DIR": "/nowhere"}) == 200


def test_a_folder_of_certificates_is_trusted(url: str, tmp_path: Path) -> None:
    shutil.copy(CERTIFICATE, tmp_path / HASHED_NAME)
    assert status(url, {"SSL_CERT_DIR": str(tmp_path)}) == 200


def test_without_either_those_of_httpx_are_trusted(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert trusted({}).get_ca_certs() == httpx.create_ssl_context().get_ca_certs() != []
    with pytest.raises(IndexUnreachableError, match="certificate that is not trusted"):
        status(url, {})


@pytest.mark.parametrize("text", [None, "", "no certificate"])
def test_a_file_without_certificates_is_refused_by_name(url: str, tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "bundle.pem"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=re.escape(f"SSL_CERT_FILE={path}: no certificates can be read")):
        status(url, {"SSL_CERT_FILE": str(path)})


def test_a_log_of_keys_that_cannot_be_written_is_blamed_itself(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", "/nowhere/keys")
    with pytest.raises(UsageError, match="SSLKEYLOGFILE=/nowhere/keys: no such file or directory"):
        status(url, {"SSL_CERT_FILE": str(CERTIFICATE)})
