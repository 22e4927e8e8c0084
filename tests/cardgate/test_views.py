import re
from datetime import timedelta
from html import unescape

import pytest
from starlette.responses import Response

from kassa.bank import cards as bank
from kassa.cardgate import brands, views
from kassa.cardgate.charge import Session
from kassa.cardgate.form import Fault, Field
from kassa.invoices.rules.attempt import PaymentStatus
from kassa.invoices.rules.invoice import Status
from kassa.pages.languages import languages
from tests.support.sessions import NOW, PAYMENT, invoice, payment, refund, session

SITE = "https://pay.example/gate"
DECLINED = payment(status=PaymentStatus.PROCESS_FAILED, resolution="insufficient_funds")


def html(response: Response) -> str:
    return unescape(bytes(response.body).decode())


def form(of: Session, language: str = "en") -> str:
    return html(views.card_page(of, language=language, site=SITE))


def outcome(of: Session, *, stay: bool = False) -> str:
    return html(views.outcome_page(of, language="en", site=SITE, stay=stay))


def test_the_form_says_who_is_paid_what_and_for_what() -> None:
    page = form(session())
    assert all(text in page for text in ("Northwind Books", "Two notebooks", "order-7", "Pay $123.45", "30:00"))
    assert '<form method="post" action="/gate/hpp/cgi_abcd000000000000" novalidate' in page
    assert '<input type="hidden" name="number" value="1">' in page


def test_the_fields_are_ones_that_browsers_fill_in() -> None:
    fields = re.findall(r"<input (id=.*?)>", form(session()))
    assert [re.findall(r'autocomplete="(.*?)"', field) for field in fields] == [["cc-number"], ["cc-exp"], ["cc-csc"]]
    assert all('inputmode="numeric"' in field and " value=" not in field for field in fields)


def test_a_form_with_faults_shows_none_of_what_was_sent_and_links_each_field() -> None:
    faults = {Field.NUMBER: Fault.WRONG, Field.CODE: Fault.WRONG}
    response = views.card_page(session(), language="en", site=SITE, faults=faults, brand=brands.find("371449635398431"))
    page = html(response)
    assert response.status_code == 422
    assert '<a href="#card_number">Check the card number: a digit is missing or wrong.</a>' in page
    assert '<a href="#cvc">The security code has 4 digits.</a>' in page
    assert page.count('aria-invalid="true"') == 2
    assert not re.search(r'<input id=.*?value="', page)


def test_test_cards_are_offered_in_test_mode_alone_and_are_the_banks() -> None:
    offered = {(card.number, card.challenge, card.good) for card in views.TEST_CARDS}
    assert offered == {(card.number, card.secure, card.good) for card in bank.TEST_CARDS}
    assert all(card.grouped in form(session()) for card in views.TEST_CARDS)
    live = form(session(invoice(test_mode=False)))
    assert "Test mode" not in live
    assert not any(card.number in live for card in views.TEST_CARDS)


def test_a_decline_is_told_in_plain_words_with_what_is_left() -> None:
    page = form(session(invoice(attempts=1), DECLINED))
    assert "Your card has insufficient funds." in page
    assert "You can try 4 more times." in page
    assert 'name="number" value="2"' in page


def test_a_fee_that_the_payer_pays_is_shown() -> None:
    page = form(session(invoice(payment_amount=12500)))
    assert "$123.45 and a fee of $1.55" in page
    assert "Pay $125.00" in page


def test_the_merchant_may_name_the_shop_on_the_page() -> None:
    options = '{"cardgate": {"tokenize": false, "theme_options": {"merchant_name": "Northwind <Kyiv>"}}}'
    assert (
        "Northwind &lt;Kyiv&gt;"
        in bytes(views.card_page(session(invoice(gateway_options=options)), language="en", site=SITE).body).decode()
    )
    assert "Northwind Books" in form(session(invoice(gateway_options='{"cardgate": 1}')))


def test_what_the_merchant_writes_cannot_become_markup() -> None:
    evil = "\"><script>alert(1)</script>'{{7*7}}"
    page = bytes(
        views.card_page(session(invoice(description=evil, reference_id=evil)), language="en", site=SITE).body
    ).decode()
    assert "<script>" not in page
    assert page.count("<script ") == 2
    assert "{{7*7}}" in page


@pytest.mark.parametrize("language", list(languages()))
def test_a_page_says_its_language(language: str) -> None:
    assert f'<html lang="{language}" dir="ltr">' in form(session(), language)


def test_a_paid_invoice_shows_the_receipt_and_leads_back_by_itself() -> None:
    paid = invoice(
        status=Status.PROCESSED,
        attempts=1,
        processed_amount=12345,
        processed_at=NOW,
        return_url="https://shop.example/thanks",
    )
    page = outcome(session(paid, payment(status=PaymentStatus.PROCESSED)))
    assert all(
        text in page for text in ("Payment received", "$123.45", "Mastercard •••• 4321", "order-7", paid.invoice_id)
    )
    assert '<meta http-equiv="refresh" content="10;url=https://shop.example/thanks?id=cpi_' in page
    assert "refresh" not in outcome(session(paid, PAYMENT), stay=True)


def test_a_waiting_page_looks_again_without_a_script_and_its_state_is_in_a_header() -> None:
    of = session(invoice(attempts=1), PAYMENT)
    response = views.outcome_page(of, language="en", site=SITE, stay=False)
    page = html(response)
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in page
    assert f'data-state="{response.headers["kassa-state"]}" data-poll' in page


@pytest.mark.parametrize(
    "seconds, words", [(19, "a few seconds"), (20, "Northwind Books will let you know"), (9999, "close this page")]
)
def test_a_wait_that_takes_long_is_said_to_and_the_page_notices(seconds: int, words: str) -> None:
    asked = payment(action=None, updated_at=NOW - timedelta(seconds=seconds))
    late = session(invoice(attempts=1), asked)
    response = views.outcome_page(late, language="en", site=SITE, stay=False)
    assert words in html(response)
    assert 'class="turning"' in html(response)
    assert response.headers["kassa-state"].endswith(".late") is ("close" in words or "let you" in words)


def test_a_page_whose_time_is_over_shows_no_spinner_though_it_looks_again() -> None:
    late = session(invoice(status=Status.PROCESS_FAILED, resolution="expired"), PAYMENT)
    page = outcome(late)
    assert "Time ran out while your bank was deciding." in page
    assert ("data-poll" in page, "turning" in page) == (True, False)


def test_money_that_came_too_late_is_not_said_to_have_stayed() -> None:
    taken = payment(status=PaymentStatus.PROCESSED, unexpected=True)
    late = session(invoice(status=Status.PROCESS_FAILED, resolution="expired"), taken, refunds=(refund(),))
    assert "Your money is on its way back to your card." in outcome(late)
    assert "No money was taken" not in outcome(late)


def test_the_way_to_the_bank_is_a_refresh_and_a_link_for_a_get() -> None:
    at_bank = payment(action="https://acs.example/c?a=1", action_method="GET", action_params={"b": "2&3"})
    response = views.forward_page(session(invoice(attempts=1), at_bank), language="en", site=SITE)
    page = html(response)
    assert '<meta http-equiv="refresh" content="0;url=https://acs.example/c?a=1&b=2%263">' in page
    assert '<a class="main" href="https://acs.example/c?a=1&b=2%263"' in page
    assert "form-action 'self';" in response.headers["content-security-policy"]


def test_the_way_to_the_bank_is_a_form_for_a_post_and_this_page_alone_may_send_it() -> None:
    at_bank = payment(action="https://acs.example/c", action_method="POST", action_params={"creq": 'a"b'})
    response = views.forward_page(session(invoice(attempts=1), at_bank), language="en", site=SITE)
    page = bytes(response.body).decode()
    assert '<form method="post" action="https://acs.example/c" data-forward>' in page
    assert '<input type="hidden" name="creq" value="a&#34;b">' in page
    assert '<button class="main" type="submit">' in page
    assert "form-action 'self' https://acs.example;" in response.headers["content-security-policy"]


def test_where_a_payment_cannot_be_cancelled_the_page_says_until_when_to_wait() -> None:
    at_bank = payment(action="https://acs.example/c")
    for minutes in (20, 30, 300):
        expires_at = NOW + timedelta(minutes=minutes)
        page = outcome(session(invoice(attempts=1, expires_at=expires_at), at_bank, cancellable=False))
        until = NOW + timedelta(minutes=min(minutes, 30))
        moment = f'<time datetime="{re.escape(until.isoformat())}" data-local>[^<]+</time>'
        assert re.search(f"If you cannot confirm, wait until {moment}, or order again.", page)
        assert "Use another card" not in page


def test_what_can_be_cancelled_has_the_attempts_number_in_its_form() -> None:
    page = outcome(session(invoice(attempts=1), payment(action="https://acs.example/c")))
    assert '<form method="post" action="/gate/hpp/cgi_abcd000000000000/cancel">' in page
    assert '<input type="hidden" name="number" value="1">' in page
    assert "wait until" not in page


def test_the_countdown_never_promises_time_that_is_not_there() -> None:
    almost = session(now=NOW + timedelta(minutes=29, seconds=59, milliseconds=700))
    assert 'data-seconds="1"' in form(almost)
