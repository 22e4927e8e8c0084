"""Every error that Kassa raises on purpose: the family is the HTTP status, the docstring is the message.

contract#errors fixes how each family looks on the wire; ``jsonapi.answers`` writes it.
"""

import math
from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import ClassVar, Self


class Message(str):
    """What is wrong with a value: English text that knows its template and values, so that pages can translate it.

    ``Message("This service takes %(currency)s.", currency="USD")`` is the text with the values in it. Templates are
    in the pages' catalogues, which is why they are literals; everything else takes a message for the text that it is.
    """

    __slots__ = ("template", "values")
    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, **values: object) -> Self:
        """Put the values into their places in the template."""
        made = super().__new__(cls, template % values if values else template)
        made.template, made.values = template, values
        return made


class KassaError(Exception):
    """Kassa could not do what was asked."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or type(self).message()
        super().__init__(self.detail)

    @classmethod
    def message(cls) -> str:
        """Return the first line of the class's docstring: what is true when this error is raised."""
        return (cls.__doc__ or "").strip().splitlines()[0]


class BadRequest(KassaError):
    """The request cannot be read."""

    status = HTTPStatus.BAD_REQUEST


class Unauthorized(KassaError):
    """The key is missing, unknown or revoked."""

    status = HTTPStatus.UNAUTHORIZED


class Forbidden(KassaError):
    """The key is known, but has no right to call this method."""

    status = HTTPStatus.FORBIDDEN


class NotFound(KassaError):
    """There is no such object."""

    status = HTTPStatus.NOT_FOUND


class Conflict(KassaError):
    """An object with this identifier exists already."""

    status = HTTPStatus.CONFLICT


class RequestUnderWay(Conflict):
    """A request with this Idempotency-Key is under way."""


class BodyTooLarge(KassaError):
    """The body is larger than 64 KiB."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedBody(KassaError):
    """The body is of a type or encoding that this address does not read."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class Invalid(KassaError):
    """Some values cannot be accepted.

    ``errors`` maps the dotted name of each refused value to what is wrong with it, all of a request at once: a
    ``Message`` wherever a payer may read it.
    """

    status = HTTPStatus.UNPROCESSABLE_ENTITY

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__()
        self.errors = dict(errors)

    def __str__(self) -> str:
        return "; ".join(f"{name}: {text}" for name, text in self.errors.items())


class TooMany(KassaError):
    """This was asked for too often: try again later.

    ``seconds`` is when it may be asked for again, at the earliest.
    """

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = max(1, math.ceil(seconds))


class ProviderGarbled(KassaError):
    """The provider's answer makes no sense, so the outcome is not known yet."""

    status = HTTPStatus.BAD_GATEWAY


class ProviderSilent(KassaError):
    """The provider did not answer in time, so the outcome is not known yet."""

    status = HTTPStatus.GATEWAY_TIMEOUT


class DatabaseUnavailable(KassaError):
    """The database does not answer at the moment.

    That is all that is answered to a request; as text, for logs and for the command line, it says why.
    """

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __str__(self) -> str:
        cause = str(self.__cause__ or "").strip().partition("\n")[0].rstrip(".")
        return f"{self.detail.rstrip('.')}: {cause}." if cause else self.detail


class DatabaseUnusable(DatabaseUnavailable):
    """The database cannot be used as it is.

    ``detail`` names the reason and the fix.
    """

    def __str__(self) -> str:
        return self.detail


class NoRoom(KassaError):
    """There is no room for another connection at the moment."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


class AddressRefused(KassaError):
    """Kassa does not send requests to this address."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Cause(StrEnum):
    """Why a request to another server failed, as precisely as it can be known from here.

    For operators alone: a merchant who could read it would learn about our network by sending callbacks there.
    """

    DNS = "dns"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    RESET = "reset"
    CLOSED = "closed without an answer"
    NOT_HTTP = "not an HTTP answer"
    CONNECTION = "connection"
    TLS_EXPIRED = "tls: certificate expired"
    TLS_NOT_YET_VALID = "tls: certificate not yet valid"
    TLS_WRONG_HOST = "tls: wrong host"
    TLS_UNTRUSTED = "tls: untrusted certificate"
    TLS_HANDSHAKE = "tls: handshake failed"
    TIMEOUT = "timeout"
    TOO_LARGE = "answer too large"
    BLOCKED_ADDRESS = "blocked address"
    STATUS = "status"
    NO_KEY = "no private key"


class RequestFailed(KassaError):
    """A request to another server did not come to an answer.

    ``cause`` says why, for operators; the detail, which others may read, stays the same for all causes.
    """

    status = HTTPStatus.BAD_GATEWAY
    cause: Cause = Cause.CONNECTION

    def __init__(self, detail: str | None = None, *, cause: Cause | None = None) -> None:
        super().__init__(detail)
        self.cause = cause or type(self).cause


class ConnectionFailed(RequestFailed):
    """The connection could not be made, or broke before the answer was whole."""


class TlsFailed(ConnectionFailed):
    """The server did not prove who it is, or does not speak TLS 1.2 or newer."""

    cause = Cause.TLS_HANDSHAKE


class AnswerTimedOut(RequestFailed):
    """The answer did not come in time."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    cause = Cause.TIMEOUT


class AnswerTooLarge(RequestFailed):
    """The answer is larger than 64 KiB."""

    cause = Cause.TOO_LARGE


class SettingsWrong(KassaError):
    """The settings do not allow Kassa to start."""


class MigrationFailed(KassaError):
    """A migration cannot be applied."""


class HomeBusy(KassaError):
    """Another Kassa runs on this home."""


class PortTaken(KassaError):
    """The port is in use by another program."""


class UnknownCurrency(KassaError):
    """There is no such currency."""


class AmountRefused(KassaError):
    """The amount is not one that can be paid."""


class InvoiceNotPayable(KassaError):
    """The invoice does not take a payment in its present state."""

    status = HTTPStatus.CONFLICT


class TransitionRefused(KassaError):
    """The status table does not allow this change."""

    status = HTTPStatus.CONFLICT


class NothingToDecide(KassaError):
    """Nothing about this invoice waits for a decision."""

    status = HTTPStatus.CONFLICT


class NotApprovable(KassaError):
    """Another currency was taken than the invoice's, so it can only be rejected."""

    status = HTTPStatus.CONFLICT


class KeyNeeded(KassaError):
    """This is the only key that signs callbacks of its mode: roll it first, then revoke it."""

    status = HTTPStatus.CONFLICT


class RatesUnreadable(KassaError):
    """The source's answer does not hold rates that can be read."""

    status = HTTPStatus.BAD_GATEWAY


class CatalogueUnreadable(KassaError):
    """The folder does not hold a catalogue that can be read."""
