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
        UsageError: SSL_CERT_FILE names no file of certificates.
    """
    import ssl

    if file := environment.get("SSL_CERT_FILE"):
        try:
            return ssl.create_default_context(cafile=file)
        except OSError as error:
            why = "it holds none" if isinstance(error, ssl.SSLError) else reason_of(error)
            raise UsageError(
                f"SSL_CERT_FILE={file}: no certificates can be read from it: {why}",
                hint="name a bundle of certificates in PEM, or unset it",
            ) from error
    if folder := environment.get("SSL_CERT_DIR"):
        return ssl.create_default_context(capath=folder)
    import certifi

    return ssl.create_default_context(cafile=certifi.where())
