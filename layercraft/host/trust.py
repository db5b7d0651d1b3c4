"""Whose certificates are trusted, read before httpx is there to read them itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layercraft.errors import UsageError, reason_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping


def trusted(environment: Mapping[str, str]) -> ssl.SSLContext:
    """Read the certificates that httpx trusts: of SSL_CERT_FILE, else SSL_CERT_DIR, else certifi's.

    It takes some hundredths of a second, and Python's lock for none of them.

    Raises:
        UsageError: SSL_CERT_FILE names no file of certificates, or SSLKEYLOGFILE none that can be written.
    """
    import ssl

    file = environment.get("SSL_CERT_FILE")
    try:
        if not file and (folder := environment.get("SSL_CERT_DIR")):
            return ssl.create_default_context(capath=folder)
        return ssl.create_default_context(cafile=file or _own())
    except OSError as error:
        if error.filename:  # told of the log of keys alone, which Python opens for each context
            raise UsageError(
                f"SSLKEYLOGFILE={error.filename}: {reason_of(error)}",
                hint="name a file that can be written, or unset it",
            ) from error
        why = "it holds none" if isinstance(error, ssl.SSLError) else reason_of(error)
        raise UsageError(
            f"SSL_CERT_FILE={file}: no certificates can be read from it: {why}",
            hint="name a bundle of certificates in PEM, or unset it",
        ) from error


def _own() -> str:
    import certifi

    return certifi.where()
