"""The texts of the bank's pages for payers, in each language."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

DEFAULT: Final = "en"

_TAG: Final = re.compile(r"\s*([A-Za-z]{2,3})\b")


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    """The texts of one language.

    ``{name}`` in ``pay_with`` is the wallet's; ``{amount}`` in ``closed_text`` and ``cancelled_text`` was to be paid.
    """

    confirm: str
    pay_with: str
    challenge_note: str
    wallet_note: str
    test_mode: str
    no_money: str
    shop: str
    purpose: str
    reference: str
    amount: str
    card: str
    wallet: str
    open_until: str
    approve: str
    decline: str
    abandon: str
    closed: str
    closed_text: str
    cancelled_text: str
    back: str
    unknown: str
    unknown_text: str


_ENGLISH: Final = Texts(
    confirm="Confirm your payment",
    pay_with="Pay with {name}",
    challenge_note="This page plays the part of your bank's 3-D Secure.",
    wallet_note="This page plays the part of the wallet's own.",
    test_mode="Test mode.",
    no_money="No money moves on this page.",
    shop="Shop",
    purpose="For",
    reference="Reference",
    amount="Amount",
    card="Card",
    wallet="Wallet",
    open_until="Open until",
    approve="Approve",
    decline="Decline",
    abandon="Go back without deciding",
    closed="Nothing more to confirm",
    closed_text="Your payment of {amount} has already been decided, or the time to confirm it has run out.",
    cancelled_text="This payment of {amount} was cancelled in the shop. No money was taken.",
    back="Back to the shop",
    unknown="No such page",
    unknown_text="There is nothing to confirm here. Go back to the shop and try again.",
)
_RUSSIAN: Final = Texts(
    confirm="Подтвердите платёж",
    pay_with="Оплата через {name}",
    challenge_note="Эта страница заменяет 3-D Secure вашего банка.",
    wallet_note="Эта страница заменяет страницу кошелька.",
    test_mode="Тестовый режим.",
    no_money="Деньги на этой странице не списываются.",
    shop="Магазин",
    purpose="Назначение",
    reference="Номер заказа",
    amount="Сумма",
    card="Карта",
    wallet="Кошелёк",
    open_until="Действует до",
    approve="Подтвердить",
    decline="Отклонить",
    abandon="Вернуться без решения",
    closed="Подтверждать больше нечего",
    closed_text="По платежу на {amount} решение уже принято, или время на подтверждение истекло.",
    cancelled_text="Платёж на {amount} отменён в магазине. Деньги не списаны.",
    back="Вернуться в магазин",
    unknown="Страница не найдена",
    unknown_text="Здесь нечего подтверждать. Вернитесь в магазин и попробуйте ещё раз.",
)
_UKRAINIAN: Final = Texts(
    confirm="Підтвердьте платіж",
    pay_with="Оплата через {name}",
    challenge_note="Ця сторінка замінює 3-D Secure вашого банку.",
    wallet_note="Ця сторінка замінює сторінку гаманця.",
    test_mode="Тестовий режим.",
    no_money="Гроші на цій сторінці не списуються.",
    shop="Магазин",
    purpose="Призначення",
    reference="Номер замовлення",
    amount="Сума",
    card="Картка",
    wallet="Гаманець",
    open_until="Діє до",
    approve="Підтвердити",
    decline="Відхилити",
    abandon="Повернутися без рішення",
    closed="Підтверджувати більше нічого",
    closed_text="Щодо платежу на {amount} рішення вже ухвалено, або час на підтвердження минув.",
    cancelled_text="Платіж на {amount} скасовано в магазині. Гроші не списано.",
    back="Повернутися до магазину",
    unknown="Сторінку не знайдено",
    unknown_text="Тут немає чого підтверджувати. Поверніться до магазину й спробуйте ще раз.",
)
LANGUAGES: Final[Mapping[str, Texts]] = MappingProxyType({"en": _ENGLISH, "ru": _RUSSIAN, "uk": _UKRAINIAN})

WALLETS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "applepay": "Apple Pay",
        "googlepay": "Google Pay",
        "liqpay": "LiqPay",
        "neteller": "NETELLER",
        "paypal": "PayPal",
        "qiwi": "QIWI Wallet",
    }
)
"""Display names that differ from the code with a capital letter."""


def language(locale: str | None, accepted: str) -> str:
    """Return a payer's language: the order's, else the first of ``Accept-Language`` that has texts."""
    wanted = (_TAG.match(tag) for tag in (locale or "", *accepted.split(",")))
    return next((code for match in wanted if match and (code := match[1].lower()) in LANGUAGES), DEFAULT)


def wallet(code: str) -> str:
    """Return a wallet's display name."""
    return WALLETS.get(code) or code.replace("_", " ").title()
