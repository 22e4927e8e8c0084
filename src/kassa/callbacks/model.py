"""What a callback is and what follows from one try to deliver it (contract#callbacks)."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from kassa.errors import Cause
from kassa.values import Value

TEST_TRY_SECONDS: Final = 20.0
LIVE_TRY_SECONDS: Final = 60.0

_SECONDS_DIGITS_MAX: Final = 9


class Failure(StrEnum):
    """Why a try failed, in words that anyone may read: they say nothing about networks. ``Cause`` says more."""

    STATUS = "status"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    TLS = "tls"
    ADDRESS_REFUSED = "address refused"
    NO_KEY = "no private key"


_FAILURES: Final = {
    Cause.STATUS: Failure.STATUS,
    Cause.TIMEOUT: Failure.TIMEOUT,
    Cause.BLOCKED_ADDRESS: Failure.ADDRESS_REFUSED,
    Cause.NO_KEY: Failure.NO_KEY,
}


def failure_of(cause: Cause) -> Failure:
    """Return what anyone may know of a cause."""
    if cause.startswith("tls"):
        return Failure.TLS
    return _FAILURES.get(cause, Failure.CONNECTION)


class Claim(Value, frozen=True, kw_only=True):
    """A callback that one worker has taken to deliver."""

    account_id: str
    callback_id: str
    invoice_id: str
    test_mode: bool
    url: str
    body: bytes
    logged_at: int
    tries: int
    """How often it was taken, this time included. A write that names another number is that of an owner who lost it."""
    tried_at: datetime | None
    """When the last try ended that something came of; None while there was none."""
    traceparent: str | None = None
    """The trace of the change that it is about, as W3C writes it; None where nothing is traced."""

    def __repr__(self) -> str:
        return f"Claim({self.callback_id}, tries={self.tries})"


class Listed(Value, frozen=True, kw_only=True):
    """A callback as the operator sees it: where it goes, and what came of the last try."""

    callback_id: str
    invoice_id: str
    test_mode: bool
    invoice_status: str
    url: str
    status: str
    """``pending``, ``done``, ``failed``, or ``dropped`` for a newer one."""
    tries: int
    created_at: datetime
    tried_at: datetime | None
    response_code: int | None
    failure: str | None
    cause: str | None
    """Why the last try failed, for the operator alone: one of ``Cause``."""
    milliseconds: int | None
    """How long the last try took."""
    answer: str | None
    """How the body of the endpoint's last answer began, where there was an answer."""
    due_at: datetime | None
    """When it is tried next; in test mode by test mode's clock."""


class Answered(Value, frozen=True, kw_only=True):
    """The endpoint answered."""

    response_code: int
    retry_after: timedelta | None = None
    answer: str = ""
    milliseconds: int = 0

    @property
    def cause(self) -> Cause | None:
        """Why the try failed; None where it did not."""
        return None if HTTPStatus.OK <= self.response_code < HTTPStatus.MULTIPLE_CHOICES else Cause.STATUS


class Unanswered(Value, frozen=True, kw_only=True):
    """No answer came."""

    cause: Cause
    milliseconds: int = 0
    answer: None = None


class Delivered(Value, frozen=True, kw_only=True, tag=True):
    """The merchant has it."""

    response_code: int


class Retry(Value, frozen=True, kw_only=True, tag=True):
    """It will be tried again."""

    response_code: int | None
    failure: Failure
    due_at: datetime


class Failed(Value, frozen=True, kw_only=True, tag=True):
    """It will not be tried again."""

    response_code: int | None
    failure: Failure


Result = Answered | Unanswered
Verdict = Delivered | Retry | Failed


def try_seconds(*, test_mode: bool) -> float:
    """Return how long one try may take as a whole."""
    return TEST_TRY_SECONDS if test_mode else LIVE_TRY_SECONDS


def judge(result: Result, *, tries: int, retries_max: int, now: datetime) -> Verdict:
    """Decide what follows from a try.

    Any 2xx is a delivery. The n-th retry comes n minutes after the try before it, up to twice that where the endpoint
    asks for it; there are ``retries_max`` retries at most, whatever the status.
    """
    response_code, failure, asked = None, Failure.STATUS, None
    match result:
        case Answered(cause=None):
            return Delivered(response_code=result.response_code)
        case Answered():
            response_code, asked = result.response_code, result.retry_after
        case Unanswered():
            failure = failure_of(result.cause)
    if tries > retries_max:
        return Failed(response_code=response_code, failure=failure)
    planned = timedelta(minutes=tries)
    delay = planned if asked is None else min(max(asked, planned), 2 * planned)
    return Retry(response_code=response_code, failure=failure, due_at=now + delay)


def retry_after(text: str | None, *, now: datetime) -> timedelta | None:
    """Read a ``Retry-After`` header, seconds or a date (RFC 9110 §10.2.3); None for none and for what is neither."""
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return timedelta(seconds=int(text[:_SECONDS_DIGITS_MAX]))
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)) - now
