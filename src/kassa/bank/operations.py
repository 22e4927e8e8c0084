"""Everything that changes the bank's books: each function is one transaction, written before anybody is answered."""

import secrets
import sqlite3
from datetime import datetime

import msgspec

from kassa.bank import cards, model, notices, queries
from kassa.bank.books import Books
from kassa.bank.model import ChargeBack, Order, Purchase, Refund, State
from kassa.bank.notices import STRANGER, Notice
from kassa.clock import Clock
from kassa.errors import Conflict, NotFound

_APPROVAL_ALPHABET = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_APPROVAL_LENGTH = 6


def place(books: Books, order: Order, *, now: datetime) -> Purchase:
    """Take an order; a second one of the same name changes nothing and shows the first.

    Raises ``Conflict`` when the name was used for another amount, currency or instrument.
    """
    with books.transaction() as connection:
        known = queries.find_purchase(connection, merchant_id=order.merchant_id, order_ref=order.order_ref)
        if known is not None:
            if not known.asks_the_same(order):
                raise Conflict("This order was placed before, with other particulars.")
            return _on_time(connection, known, now)
        purchase = model.opened(order, transaction_id=secrets.token_hex(10), page_id=secrets.token_urlsafe(24), now=now)
        queries.insert_purchase(connection, purchase)
        _tell(connection, purchase, notices.at_opening(purchase))
        return purchase if purchase.state.payers else _ask_issuer(connection, purchase, now)


def look(books: Books, *, merchant_id: str, order_ref: str, now: datetime) -> Purchase:
    """Return a merchant's purchase as it stands now. Raises ``NotFound``."""
    with books.transaction() as connection:
        return _on_time(connection, _found(connection, merchant_id, order_ref), now)


def look_at_page(books: Books, page_id: str, *, now: datetime) -> Purchase:
    """Return the purchase of a payer's page as it stands now. Raises ``NotFound``."""
    with books.transaction() as connection:
        return _paged(connection, page_id, now)


def confirm(books: Books, page_id: str, *, approve: bool, now: datetime) -> Purchase:
    """Take the payer's word on his page; once it is taken, or too late, nothing changes it.

    Raises ``NotFound`` for a page that there never was.
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


def settle(books: Books, *, merchant_id: str, order_ref: str, approve: bool, now: datetime) -> Purchase:
    """Decide, as a person at the desk, what the issuer left open.

    Raises ``NotFound``, or ``Conflict`` for a purchase that is not in processing.
    """
    with books.transaction() as connection:
        purchase = _found(connection, merchant_id, order_ref)
        if purchase.state is not State.PROCESSING:
            raise Conflict("This purchase does not wait for a decision.")
        if approve:
            return _close(connection, _approved(connection, purchase, now))
        return _close(connection, model.refused(purchase, cards.DO_NOT_HONOUR, now=now))


def refund(
    books: Books, *, merchant_id: str, order_ref: str, refund_ref: str, amount: int, currency: str, now: datetime
) -> Refund:
    """Give money back, once under each name; never more than was taken.

    Raises ``NotFound`` for an unknown order, ``Conflict`` when the name was used for another refund.
    """
    with books.transaction() as connection:
        known = queries.find_refund(connection, merchant_id=merchant_id, refund_ref=refund_ref)
        if known is not None:
            if (known.order_ref, known.amount, known.currency) != (order_ref, amount, currency):
                raise Conflict("This refund was asked for before, with other particulars.")
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


def look_at_refund(books: Books, *, merchant_id: str, order_ref: str, refund_ref: str) -> Refund:
    """Return a merchant's refund. Raises ``NotFound``."""
    known = queries.find_refund(books.connection, merchant_id=merchant_id, refund_ref=refund_ref)
    if known is None or known.order_ref != order_ref:
        raise NotFound("There is no such refund.")
    return known


def charge_back(books: Books, *, merchant_id: str, order_ref: str, amount: int | None, now: datetime) -> Purchase:
    """Take money back from the merchant, as the payer's bank does: an amount, or all that is left, and tell him.

    Raises ``NotFound``, or ``Conflict`` where there is not as much.
    """
    with books.transaction() as connection:
        before = _found(connection, merchant_id, order_ref)
        after = model.charged_back(before, amount)
        taken = ChargeBack(
            merchant_id=merchant_id,
            order_ref=order_ref,
            transaction_id=secrets.token_hex(10),
            amount=after.charge_backs[-1],
            currency=after.currency,
            rrn=_rrn(connection),
            created_at=now,
        )
        queries.insert_charge_back(connection, taken)
        _tell(connection, after, [notices.of_charge_back(after)])
        return after


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
    """Refuse a purchase whose payer has missed the time; looking is soon enough, for nobody can act on it before."""
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
    """Write a final state together with the message that tells the merchant."""
    queries.update_purchase(connection, purchase)
    _tell(connection, purchase, notices.at_closing(purchase))
    return purchase


def _tell(connection: sqlite3.Connection, purchase: Purchase, told: list[Notice]) -> None:
    for notice in told:
        queries.insert_notification(
            connection,
            notification_id=f"ntf-{secrets.token_hex(10)}",
            merchant_id=STRANGER if notice.forged else purchase.merchant_id,
            url=purchase.notify_url,
            body=notice.body,
            due_at=Clock.real().timestamp() + notice.after_seconds if notice.after_seconds else 0.0,
        )


def _rrn(connection: sqlite3.Connection) -> str:
    return f"{queries.next_number(connection, 'rrn'):012d}"
