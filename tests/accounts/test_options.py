import base64
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from kassa.accounts.model import Account
from kassa.accounts.options import OPTIONS, apply
from kassa.errors import Invalid

ACCOUNT = Account(
    account_id="coma_Ab12000000000001",
    tag="Ab12",
    name="Shop",
    currency="EUR",
    external_mid="org_Ab12000000000001",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


@pytest.mark.parametrize(
    "name,text,value",
    [
        ("forbid_public_access", "true", True),
        ("forbid_public_access", "OFF", False),
        ("callback_url", " https://shop.example/cb?a=1 ", "https://shop.example/cb?a=1"),
        ("callback_url", "http://127.0.0.1:9000/cb", "http://127.0.0.1:9000/cb"),
        ("callback_url", "", None),
        ("return_url", "https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443/"),
        ("merchant_url", "https://магазин.example", "https://магазин.example"),
        ("lifetime_minutes", "14", 14),
        ("lifetime_minutes", "2880", 2880),
        ("attempts", "100", 100),
        ("only_final_callbacks", "yes", True),
        ("ip_allow_list", "10.1.2.3/8, 192.0.2.7,2001:db8::/32", ("10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32")),
        ("ip_allow_list", "", ()),
        ("late_success", "refund", "refund"),
        ("callback_retries", "0", 0),
        ("payer_pays_fee", "on", True),
        ("exchange_spread", "2.5", Decimal("2.5")),
        ("exchange_spread", "50", Decimal(50)),
        ("moderation_by_api", "on", True),
        ("support_url", "https://shop.example/help", "https://shop.example/help"),
        ("support_email", "help+orders@shop.example", "help+orders@shop.example"),
        ("support_email", "", None),
        ("terms_url", "https://shop.example/terms", "https://shop.example/terms"),
        ("logo", base64.b64encode(b"<svg/>").decode(), b"<svg/>"),
        ("logo", base64.b64encode(b"\x89PNG\r\n\x1a\nrest").decode(), b"\x89PNG\r\n\x1a\nrest"),
        ("logo", "", None),
    ],
)
def test_an_option_takes_its_value(name: str, text: str, value: object) -> None:
    assert apply(ACCOUNT, {name: text}) == msgspec.structs.replace(ACCOUNT, **{name: value})


@pytest.mark.parametrize(
    "name,text",
    [
        ("forbid_public_access", "maybe"),
        ("forbid_public_access", ""),
        ("exchange_spread", ""),
        ("exchange_spread", "-1"),
        ("exchange_spread", "50.01"),
        ("exchange_spread", "1.23456"),
        ("exchange_spread", "1e1"),
        ("callback_url", "shop.example/cb"),
        ("callback_url", "//shop.example/cb"),
        ("support_url", "javascript:alert(1)"),
        ("support_email", "shop.example"),
        ("support_email", "help@shop"),
        ("support_email", "help@shop.example?subject=x"),
        ("support_email", "a b@shop.example"),
        ("support_email", f"{'a' * 250}@shop.example"),
        ("terms_url", "terms.html"),
        ("logo", "logo.svg"),
        ("logo", base64.b64encode(b"GIF89a").decode()),
        ("logo", base64.b64encode(b"<svg>\xff</svg>").decode()),
        ("logo", base64.b64encode(b"<html></html>").decode()),
        ("logo", base64.b64encode(b"<svg>" + b" " * 16 * 1024).decode()),
        ("callback_url", "ftp://shop.example/cb"),
        ("callback_url", "https:///cb"),
        ("callback_url", "https:shop.example"),
        ("callback_url", "https://user:word@shop.example/cb"),
        ("callback_url", "https://@shop.example/cb"),
        ("callback_url", "https://shop.example:99999/cb"),
        ("callback_url", "https://shop.example/a b"),
        ("callback_url", "https://shop.example\\@evil.example/"),
        ("callback_url", "https://shop.example/\r\nX: y"),
        ("callback_url", "https://[::1/cb"),
        ("callback_url", "https://shop.example/" + "a" * 2048),
        ("lifetime_minutes", "13"),
        ("lifetime_minutes", "2881"),
        ("lifetime_minutes", "-5"),
        ("lifetime_minutes", "1.5"),
        ("lifetime_minutes", "٣"),
        ("lifetime_minutes", "9" * 5000),
        ("attempts", "0"),
        ("attempts", "101"),
        ("ip_allow_list", "10.0.0.0/33"),
        ("ip_allow_list", "shop.example"),
        ("late_success", "keep"),
        ("callback_retries", "1001"),
        ("payer_pays_fee", "2"),
    ],
)
def test_what_cannot_be_a_value_is_refused_by_its_name(name: str, text: str) -> None:
    with pytest.raises(Invalid) as refused:
        apply(ACCOUNT, {name: text})
    assert list(refused.value.errors) == [name]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        apply(ACCOUNT, {"attempts": "0", "tag": "Zz99", "late_success": "book", "callback_url": "x"})
    assert refused.value.errors == {
        "attempts": "This value should be a whole number from 1 to 100.",
        "tag": f"This is not an option. Options: {', '.join(OPTIONS)}.",
        "callback_url": "This value should be an http or https address without a user name.",
    }
