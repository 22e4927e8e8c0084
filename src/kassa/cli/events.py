"""What can be made to happen to a test invoice, by the roads that payers, banks and time take."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode, urljoin

from kassa.accounts.model import Account
from kassa.bank.cards import PENDING_EXPIRY, TEST_CARDS
from kassa.callbacks import operations as callbacks
from kassa.callbacks import queries as callback_queries
from kassa.cli.clock import TEST_OFFSET_MAX
from kassa.db.queries import advance_test_offset
from kassa.errors import Invalid, NotFound
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import OPEN
from kassa.invoices.rules.snapshot import Snapshot
from kassa.invoices.tables import snapshots as queries
from kassa.platform import Platform

_GOOD: Final = next(card.number for card in TEST_CARDS if card.good and not card.secure)
_FAILING: Final = next(card.number for card in TEST_CARDS if not card.good and not card.secure)
_EXPIRY: Final = "12/39"
_NO_FUNDS: Final = "05/29"
_ANSWER_SECONDS: Final = 30.0
_WAIT_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 0.2
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}

Event = Callable[[Platform, Account, Snapshot], Awaitable[Snapshot]]


async def paid(platform: Platform, account: Account, view: Snapshot) -> Snapshot:
    """Pay it: with a good card, or by the payer's yes where the bank waits for one."""
    return await _decided(platform, view, number=_GOOD, expiry=_EXPIRY, approve=True)


async def declined(platform: Platform, account: Account, view: Snapshot) -> Snapshot:
    """Try to pay it with a card without funds, or say the payer's no where the bank waits for one."""
    return await _decided(platform, view, number=_FAILING, expiry=_NO_FUNDS, approve=False)


async def pending(platform: Platform, account: Account, view: Snapshot) -> Snapshot:
    """Pay it with a card about which the bank does not decide."""
    await _enter_card(platform, view, _GOOD, PENDING_EXPIRY)
    return await _until(platform, view, lambda now: now.payment is not None and now.payment.live)


async def expired(platform: Platform, account: Account, view: Snapshot) -> Snapshot:
    """Move test mode's clock past its end. The clock is that of all test invoices."""
    if view.invoice.status not in OPEN:
        raise Invalid({"INVOICE": f"It cannot expire any more: it is {view.invoice.status}."})
    step = view.invoice.expires_at - platform.clock.now(test_mode=True) + timedelta(seconds=1)
    if step > timedelta():
        moved = await advance_test_offset(platform.pool, step=step, test_offset_max=TEST_OFFSET_MAX)
        if moved is None:
            raise Invalid({"EVENT": f"Test mode goes no further than {TEST_OFFSET_MAX.days} days ahead."})
    return await _until(platform, view, lambda now: now.invoice.status not in OPEN)


async def chargeback(platform: Platform, account: Account, view: Snapshot) -> Snapshot:
    """Let the payer's bank take all of its money back."""
    payment = view.payment
    if payment is None or not payment.processed_amount:
        raise Invalid({"INVOICE": f"No money was taken for it: it is {view.invoice.status}."})
    await _post(platform, _desk(platform, payment, "/charge-back"), {})
    before = len(view.disputes)
    return await _until(platform, view, lambda now: len(now.disputes) != before)


async def callback(platform: Platform, account: Account, view: Snapshot) -> Snapshot:
    """Send its last callback again, and wait for the answer."""
    invoice_id = view.invoice.invoice_id
    found = await callback_queries.listed(
        platform.pool, account_id=account.account_id, invoice_id=invoice_id, failed=False, limit=1
    )
    if not found:
        raise NotFound("There are no callbacks of this invoice: neither it nor its account has a callback_url.")
    last = found[0]
    await callbacks.resend(
        platform.pool, platform.outbound, platform.clock, account.account_id, last.callback_id, url=None
    )

    async def is_tried() -> bool:
        (now,) = await callback_queries.listed(
            platform.pool, account_id=account.account_id, invoice_id=invoice_id, failed=False, limit=1
        )
        return now.tries > last.tries and now.tried_at != last.tried_at

    await _wait(is_tried)
    return await _read(platform, view)


EVENTS: Final[Mapping[str, Event]] = {
    "paid": paid,
    "declined": declined,
    "pending": pending,
    "expired": expired,
    "chargeback": chargeback,
    "callback": callback,
}


async def _decided(platform: Platform, view: Snapshot, *, number: str, expiry: str, approve: bool) -> Snapshot:
    payment = view.payment
    if payment is None or not payment.live:
        await _enter_card(platform, view, number, expiry)
    elif payment.action is not None:
        await _answer_page(platform, payment, approve=approve)
    else:
        await _post(platform, _desk(platform, payment), {"decision": "approve" if approve else "decline"})
    before = (payment.payment_id, payment.live) if payment else None

    def has_ended(now: Snapshot) -> bool:
        after = now.payment
        return after is not None and not after.live and (after.payment_id, after.live) != before

    return await _until(platform, view, has_ended)


async def _enter_card(platform: Platform, view: Snapshot, number: str, expiry: str) -> None:
    """Send the card page's form, as the payer's browser does."""
    invoice = view.invoice
    if invoice.status not in OPEN or (view.payment is not None and view.payment.live):
        raise Invalid({"INVOICE": f"It cannot be paid now: it is {invoice.status}."})
    if invoice.session_id is None:
        raise Invalid({"INVOICE": f"It is not paid by card, but by {invoice.service_method}."})
    form = {"number": str(invoice.attempts + 1), "card_number": number, "expiry": expiry, "cvc": "123"}
    await _post(platform, f"{platform.settings.gate_url}/hpp/{invoice.session_id}", form)


async def _answer_page(platform: Platform, payment: Payment, *, approve: bool) -> None:
    """Decide on the bank's page to which the payer was sent."""
    url = payment.action or ""
    if payment.action_method == "POST":
        url = urljoin(url, await _post(platform, url, payment.action_params or {}))
    await _post(platform, url, {"decision": "approve" if approve else "decline"})


def _desk(platform: Platform, payment: Payment, end: str = "") -> str:
    return f"{platform.settings.bank_url}/desk/{payment.merchant_id}/{payment.payment_id}{end}"


async def _post(platform: Platform, url: str, form: Mapping[str, str]) -> str:
    """Send a form and return where the answer leads. Raises ``Invalid`` where it is refused."""
    answer = await platform.outbound.request(
        "POST",
        url,
        headers=_FORM,
        body=urlencode(form).encode(),
        timeout_seconds=_ANSWER_SECONDS,
        guarded=False,
    )
    if answer.status != HTTPStatus.SEE_OTHER:
        raise Invalid({"EVENT": f"This cannot happen to it now; {url.partition('?')[0]} answered {answer.status}."})
    return answer.headers.get("location", "")


async def _until(platform: Platform, view: Snapshot, reached: Callable[[Snapshot], bool]) -> Snapshot:
    """Return the invoice once a change of it has come, or as it is when that takes too long."""

    async def has_come() -> bool:
        return reached(await _read(platform, view))

    await _wait(has_come)
    return await _read(platform, view)


async def _wait(done: Callable[[], Awaitable[bool]]) -> None:
    try:
        async with asyncio.timeout(_WAIT_SECONDS):
            while not await done():  # noqa: ASYNC110  # another process writes what is waited for
                await asyncio.sleep(_PAUSE_SECONDS)
    except TimeoutError:
        raise NotFound(f"Nothing came of it within {_WAIT_SECONDS:.0f} s: does kassa serve --demo still run?") from None


async def _read(platform: Platform, view: Snapshot) -> Snapshot:
    found = await queries.by_id(platform.pool, view.invoice.invoice_id, account_id=view.invoice.account_id)
    if found is None:
        raise NotFound
    return found
