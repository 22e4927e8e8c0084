import json

import msgspec
import pytest

from kassa.pages.return_links import home, leave_url, return_url
from kassa.pages.stages import Stage
from tests.support.sessions import ACCOUNT, INVOICE, invoice

RESULT = "id=cpi_abcd000000000000&reference_id=order-7&status=process_pending&amount=123.45&currency=USD"
URLS = json.dumps(
    {"success": "https://shop.example/ok", "fail": "https://shop.example/no", "pending": "https://shop.example/wait"}
)


@pytest.mark.parametrize(
    "current,path",
    [
        (Stage.PAID, "ok"),
        (Stage.FAILED, "no"),
        (Stage.EXPIRED, "no"),
        (Stage.PENDING, "wait"),
        (Stage.REVIEW, "wait"),
        (Stage.CONFIRM, "wait"),
    ],
)
def test_the_payer_goes_to_the_address_for_the_outcome(current: Stage, path: str) -> None:
    of = invoice(return_urls=URLS, return_url="https://shop.example/other")
    assert return_url(of, ACCOUNT, current) == f"https://shop.example/{path}?{RESULT}"


def test_an_address_that_is_not_given_for_an_outcome_falls_back() -> None:
    of = invoice(
        return_urls='{"pending": "https://shop.example/wait", "fail": null}', return_url="https://shop.example/r"
    )
    assert return_url(of, ACCOUNT, Stage.FAILED) == f"https://shop.example/r?{RESULT}"


def test_the_accounts_address_is_the_last_resort_and_there_may_be_none() -> None:
    account = msgspec.structs.replace(ACCOUNT, return_url="https://shop.example/account")
    assert return_url(INVOICE, account, Stage.PAID) == f"https://shop.example/account?{RESULT}"
    assert return_url(INVOICE, ACCOUNT, Stage.PAID) is None


def test_the_merchants_own_query_and_fragment_stay_as_they_are() -> None:
    of = invoice(return_url="https://shop.example/r?sig=a%2Fb+c&empty=#thanks")
    assert return_url(of, ACCOUNT, Stage.PAID) == f"https://shop.example/r?sig=a%2Fb+c&empty=&{RESULT}#thanks"


def test_what_is_appended_cannot_break_out_of_the_query() -> None:
    of = invoice(reference_id='a&b="x"#', return_url="https://shop.example/")
    assert "reference_id=a%26b%3D%22x%22%23&" in str(return_url(of, ACCOUNT, Stage.PAID))


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "/relative", "https://", "//host/x", "http://["]
)
def test_an_address_that_is_no_web_page_is_no_return_url(url: str) -> None:
    assert return_url(invoice(return_url=url), ACCOUNT, Stage.PAID) is None


def test_who_leaves_goes_where_a_failure_does() -> None:
    of = invoice(return_urls=URLS, return_url="https://shop.example/other")
    assert leave_url(of, ACCOUNT) == f"https://shop.example/no?{RESULT}"
    assert leave_url(invoice(return_url="https://shop.example/r"), ACCOUNT) == f"https://shop.example/r?{RESULT}"
    assert leave_url(INVOICE, ACCOUNT) is None


@pytest.mark.parametrize(
    "merchant_url, website, expected",
    [
        ("https://shop.example/", "https://other.example/", "https://shop.example/"),
        (None, "https://other.example/", "https://other.example/"),
        ("javascript:alert(1)", None, None),
        (None, None, None),
    ],
)
def test_the_shops_own_site_is_a_way_out_and_no_way_back(
    merchant_url: str | None, website: str | None, expected: str | None
) -> None:
    account = msgspec.structs.replace(ACCOUNT, merchant_url=merchant_url, website=website)
    assert (leave_url(INVOICE, account), home(account)) == (expected, expected)
    assert leave_url(invoice(return_url="javascript:alert(1)"), account) == expected
    assert return_url(INVOICE, account, Stage.PAID) is None
