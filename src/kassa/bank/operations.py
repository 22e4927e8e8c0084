"""Everything that changes the bank's books: each function is one transaction, committed before the answer."""

import secrets
import sqlite3
from datetime import datetime

import msgspec

from kassa.bank import cards, chargebacks, model, notices, queries
from kassa.bank.books import Books
from kassa.bank.model import Order, Purchase, Refund, State
from kassa.bank.notices import FORGER, Notice
from kassa.clock import Clock
from kassa.errors import Conflict, NotFound

_APPROVAL_ALPHABET = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_APPROVAL_LENGTH = 6


def place(books: Books, order: Order, *, now: datetime) -> Purchase:
    """Take an order; a second one of the same name changes nothing and returns the first.

    Raises ``Conflict`` when the name was used for another amount, currency or instrument.
    """
    with books.transaction() as connection:
        known = queries.find_purchase(connection, merchant_id=order.merchant_id, order_ref=order.order_ref)
        if known is not None:
            if not known.matches(order):
                raise Conflict("This order was placed before, with other values.")
            return _on_time(connection, known, now)
        purchase = model.opened(order, transaction_id=secrets.token_hex(10), page_id=secrets.token_urlsafe(24), now=now)
        queries.insert_purchase(connection, purchase)
        _notify(connection, purchase, notices.at_opening(purchase))
        return purchase if purchase.state.payers else _ask_issuer(connection, purchase, now)


def purchase(books: Books, *, merchant_id: str, order_ref: str, now: datetime) -> Purchase:
    """Return a merchant's purchase. Raises ``NotFound``."""
    with books.transaction() as connection:
        return _on_time(connection, _found(connection, merchant_id, order_ref), now)


def purchase_by_page(books: Books, page_id: str, *, now: datetime) -> Purchase:
    """Return the purchase of a payer's page. Raises ``NotFound``."""
    with books.transaction() as connection:
        return _paged(connection, page_id, now)


def confirm(books: Books, page_id: str, *, approve: bool, now: datetime) -> Purchase:
    """Approve or decline, as the payer did on the page; nothing changes a purchase that does not wait for its payer.

    Raises ``NotFound`` for a page that does not exist.
    """
    with books.transaction() as connection:
        purchase = _paged(connection, page_id, now)
        if not purchase.state.payers:
            return purchase
        if approve:
            return _ask_issuer(connection, purchase, now)
        return _close(connection, model.refused(purchase, cards.NOT_CONFIRMED, now=now))


def cancel(books: Books, *, merchant_id: str, order_ref: str, now: datetime) -> Purchase:
    """Close a purchase that waits for its payer, so that it can never be approved; any other stays as it is.

    Raises ``NotFound``.
    """
    with books.transaction() as connection:
        purchase = _on_time(connection, _found(connection, merchant_id, order_ref), now)
        if not purchase.state.payers:
            return purchase
        return _close(connection, model.refused(purchase, cards.CANCELLED, now=now))


def resolve(books: Books, *, merchant_id: str, order_ref: str, approve: bool, now: datetime) -> Purchase:
    """Approve or decline at the desk what the issuer left pending.

    Raises ``NotFound``, or ``Conflict`` for a purchase that is not in processing.
    """
    with books.transaction() as connection:
        purchase = _found(connection, merchant_id, order_ref)
        if purchase.state is not State.PROCESSING:
            raise Conflict("This purchase is not in processing.")
        if approve:
            return _close(connection, _approved(connection, purchase, now))
        return _close(connection, model.refused(purchase, cards.DO_NOT_HONOUR, now=now))


def refund(
    books: Books, *, merchant_id: str, order_ref: str, refund_ref: str, amount: int, currency: str, now: datetime
) -> Refund:
    """Refund, once under each name, and never more than was taken.

    Raises ``NotFound`` for an unknown order, ``Conflict`` when the name was used for another refund.
    """
    with books.transaction() as connection:
        known = queries.find_refund(connection, merchant_id=merchant_id, refund_ref=refund_ref)
        if known is not None:
            if (known.order_ref, known.amount, known.currency) != (order_ref, amount, currency):
                raise Conflict("This refund was made before, with other values.")
            return known
        purchase = _found(connection, merchant_id, order_ref)
        refunded = queries.refunded_amount(connection, merchant_id=merchant_id, order_ref=order_ref)
        code = model.refund_code(purchase, refunded=refunded, amount=amount, currency=currency)
        given = Refund(
            merchant_id=merchant_id,
            refund_ref=refund_ref,
            order_ref=order_ref,
            transaction_id=secrets.token_hex(10),
            amount=amount,
            currency=currency,
            state=State.APPROVED if code == cards.APPROVED else State.REFUSED,
            response_code=code,
            rrn=_rrn(connection) if code == cards.APPROVED else None,
            created_at=now,
        )
        queries.insert_refund(connection, given)
        return given


def known_refund(books: Books, *, merchant_id: str, order_ref: str, refund_ref: str) -> Refund:
    """Return a merchant's refund. Raises ``NotFound``."""
    known = queries.find_refund(books.connection, merchant_id=merchant_id, refund_ref=refund_ref)
    if known is None or known.order_ref != order_ref:
        raise NotFound("There is no such refund.")
    return known


def charge_back(
    books: Books, *, merchant_id: str, order_ref: str, amount: int | None, reason: str, now: datetime
) -> Purchase:
    """Charge back ``amount`` minor units, or all that is left, and notify the merchant.

    Raises ``NotFound``, or ``Conflict`` where less than that is left.
    """
    with books.transaction() as connection:
        before = _found(connection, merchant_id, order_ref)
        transaction_id, rrn = secrets.token_hex(10), _rrn(connection)
        taken = model.charged_back(before, amount, reason=reason, transaction_id=transaction_id, rrn=rrn, now=now)
        queries.insert_charge_back(connection, taken)
        return _disputed(connection, merchant_id, order_ref)


def decide_charge_back(
    books: Books, *, merchant_id: str, order_ref: str, transaction_id: str, won: bool, now: datetime
) -> Purchase:
    """Decide a chargeback, and notify the merchant; where the merchant has ``won``, the money is the merchant's again.

    Raises ``NotFound``, or ``Conflict`` where it was decided before.
    """
    with books.transaction() as connection:
        purchase = _found(connection, merchant_id, order_ref)
        open_one = next((each for each in purchase.charge_backs if each.transaction_id == transaction_id), None)
        if open_one is None:
            raise NotFound("There is no such chargeback.")
        decided = chargebacks.decided(open_one, reversal_rrn=_rrn(connection) if won else None, now=now)
        queries.update_charge_back(connection, decided)
        return _disputed(connection, merchant_id, order_ref)


def return_refund(books: Books, *, merchant_id: str, order_ref: str, refund_ref: str, now: datetime) -> Refund:
    """Let an approved refund come back to the merchant, undelivered, and notify the merchant.

    Raises ``NotFound``, or ``Conflict`` where it was not approved.
    """
    with books.transaction() as connection:
        purchase = _found(connection, merchant_id, order_ref)
        known = queries.find_refund(connection, merchant_id=merchant_id, refund_ref=refund_ref)
        if known is None or known.order_ref != order_ref:
            raise NotFound("There is no such refund.")
        back = model.returned(known, rrn=_rrn(connection), now=now)
        queries.update_refund(connection, back)
        _notify(connection, purchase, [notices.of_refund(purchase, back)])
        return back


def _disputed(connection: sqlite3.Connection, merchant_id: str, order_ref: str) -> Purchase:
    """Notify the merchant of what became of a purchase's chargebacks, and return it."""
    purchase = _found(connection, merchant_id, order_ref)
    _notify(connection, purchase, [notices.of_charge_back(purchase)])
    return purchase


def _found(connection: sqlite3.Connection, merchant_id: str, order_ref: str) -> Purchase:
    purchase = queries.find_purchase(connection, merchant_id=merchant_id, order_ref=order_ref)
    if purchase is None:
        raise NotFound("There is no such order.")
    return purchase


def _paged(connection: sqlite3.Connection, page_id: str, now: datetime) -> Purchase:
    purchase = queries.find_purchase_by_page(connection, page_id)
    if purchase is None:
        raise NotFound("There is no such page.")
    return _on_time(connection, purchase, now)


def _on_time(connection: sqlite3.Connection, purchase: Purchase, now: datetime) -> Purchase:
    """Refuse a purchase whose payer's time is over; checking at each read is enough, as nothing acts on it before."""
    if not purchase.timed_out(now):
        return purchase
    return _close(connection, model.refused(purchase, cards.TIMED_OUT, now=now))


def _ask_issuer(connection: sqlite3.Connection, purchase: Purchase, now: datetime) -> Purchase:
    match purchase.issuer_code:
        case None:
            waiting = msgspec.structs.replace(purchase, state=State.PROCESSING, updated_at=now)
            queries.update_purchase(connection, waiting)
            return waiting
        case cards.APPROVED:
            return _close(connection, _approved(connection, purchase, now))
        case code:
            return _close(connection, model.refused(purchase, code, now=now))


def _approved(connection: sqlite3.Connection, purchase: Purchase, now: datetime) -> Purchase:
    code = "".join(secrets.choice(_APPROVAL_ALPHABET) for _ in range(_APPROVAL_LENGTH))
    return model.approved(purchase, rrn=_rrn(connection), approval_code=code, now=now)


def _close(connection: sqlite3.Connection, purchase: Purchase) -> Purchase:
    """Write a final state and the merchant's notification."""
    queries.update_purchase(connection, purchase)
    _notify(connection, purchase, notices.at_closing(purchase))
    return purchase


def _notify(connection: sqlite3.Connection, purchase: Purchase, to_send: list[Notice]) -> None:
    for notice in to_send:
        queries.insert_notification(
            connection,
            notification_id=f"ntf-{secrets.token_hex(10)}",
            merchant_id=FORGER if notice.forged else purchase.merchant_id,
            url=purchase.notify_url,
            body=notice.body,
            due_at=Clock.real().timestamp() + notice.after_seconds if notice.after_seconds else 0.0,
        )


def _rrn(connection: sqlite3.Connection) -> str:
    return f"{queries.next_number(connection, 'rrn'):012d}"
