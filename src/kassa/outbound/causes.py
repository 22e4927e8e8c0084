"""Why a request failed, read from what the HTTP client, the TLS library and the system raise."""

import errno
import ssl
from collections.abc import Iterator
from typing import Final

import aiohttp

from kassa.errors import Cause

_BY_ERRNO: Final = {
    errno.ECONNREFUSED: Cause.REFUSED,
    errno.ECONNRESET: Cause.RESET,
    errno.EPIPE: Cause.RESET,
    errno.ECONNABORTED: Cause.RESET,
    errno.EHOSTUNREACH: Cause.UNREACHABLE,
    errno.ENETUNREACH: Cause.UNREACHABLE,
    errno.EADDRNOTAVAIL: Cause.UNREACHABLE,
    errno.ETIMEDOUT: Cause.TIMEOUT,
}
_BY_VERIFY_CODE: Final = {
    9: Cause.TLS_NOT_YET_VALID,  # X509_V_ERR_CERT_NOT_YET_VALID
    10: Cause.TLS_EXPIRED,  # X509_V_ERR_CERT_HAS_EXPIRED
    62: Cause.TLS_WRONG_HOST,  # X509_V_ERR_HOSTNAME_MISMATCH
    64: Cause.TLS_WRONG_HOST,  # X509_V_ERR_IP_ADDRESS_MISMATCH
}
"""OpenSSL's numbers; every other one means that no authority we trust signed the certificate."""


def cause_of(error: BaseException) -> Cause:
    """Return why a request failed."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Cause.DNS
    if isinstance(error, aiohttp.ClientSSLError):
        return _tls_cause(error)
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError):
        return _by_errno(error) or Cause.CLOSED
    if isinstance(error, aiohttp.ClientResponseError | ValueError):
        return Cause.NOT_HTTP
    return _by_errno(error) or Cause.CONNECTION


def _tls_cause(error: BaseException) -> Cause:
    for each in _chain(error):
        # The HTTP client's own errors are of this class too, without the number.
        if isinstance(each, ssl.SSLCertVerificationError) and hasattr(each, "verify_code"):
            return _BY_VERIFY_CODE.get(each.verify_code, Cause.TLS_UNTRUSTED)
    return Cause.TLS_HANDSHAKE


def _by_errno(error: BaseException) -> Cause | None:
    numbers = (each.errno for each in _chain(error) if isinstance(each, OSError))
    return next((_BY_ERRNO[number] for number in numbers if number in _BY_ERRNO), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that led to it, wherever the HTTP client keeps them."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        for name in ("certificate_error", "os_error"):
            inner = getattr(seen, name, None)
            if isinstance(inner, BaseException) and inner is not seen.__cause__:
                yield inner
        seen = seen.__cause__
