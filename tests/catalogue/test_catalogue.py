import re

import msgspec
import pytest

from kassa.catalogue import builtin, fields, queries
from kassa.catalogue.directory import Catalogue
from kassa.catalogue.model import Field, Method, Service
from kassa.catalogue.operations import load_builtin
from kassa.errors import NotFound
from tests.support.postgres import Database

CARD = Method(
    code="payment_card",
    category="payment_card",
    description="",
    name={"en": "Payment card", "ru": "Платежная карта", "uk": "Платіжна карта"},
    logo="/static/methods/payment_card/logo.svg",
    icon="/static/methods/payment_card/icon.svg",
    metadata=None,
    position=None,
    hide=None,
)

STATUS = Field(
    key="status",
    type="string",
    label={"ru": "Статус", "en": "Status", "uk": "Статус"},
    example=None,
    hint={"ru": "Введите статус", "en": "Enter Status", "uk": "Введіть статус"},
    regexp="^[a-zA-Z_]*$",
    required=True,
    position=0,
)


async def test_the_built_in_catalogue_is_what_the_demo_takes_money_by(database: Database) -> None:
    await load_builtin(database.pool)
    catalogue = Catalogue(database.pool)
    assert await catalogue.method("payment_card") == CARD
    assert await catalogue.service("payment_card_usd_hpp") == Service(
        code="payment_card_usd_hpp",
        method="payment_card",
        flow="hpp",
        currency="USD",
        fields=(),
        amount_min=1,
        amount_max=1_000_000_00,
    )
    assert await catalogue.service("test_usd_test") == Service(
        code="test_usd_test",
        method="test",
        flow="test",
        currency="USD",
        fields=(STATUS,),
        amount_min=1,
        amount_max=9_999_999_00,
    )


def test_it_has_alternatives_in_the_currencies_where_they_make_sense() -> None:
    methods, services = builtin.read()
    assert {method.code for method in methods} == {service.method for service in services}
    assert {"payment_card", "applepay", "googlepay", "paypal", "qiwi", "test"} <= {method.code for method in methods}
    for currency in ("USD", "EUR", "UAH", "RUB"):
        assert len({service.method for service in services if service.currency == currency}) >= 5
    assert {service.code for service in services if service.currency == "XTS"} == {
        "payment_card_xts_hpp",
        "test_xts_test",
    }
    assert len(services) > 40  # several pages of 20


def test_every_built_in_name_is_in_three_languages() -> None:
    methods, services = builtin.read()
    texts = [method.name for method in methods]
    texts += [text for service in services for field in service.fields for text in (field.label, field.hint)]
    assert [text for text in texts if set(text) != {"en", "ru", "uk"} or not all(text.values())] == []


def test_a_built_in_code_says_what_the_service_is() -> None:
    _, services = builtin.read()
    assert [each.code for each in services] == [
        f"{each.method}_{each.currency}_{each.flow}".lower() for each in services
    ]


def test_built_in_patterns_run_and_match_their_examples() -> None:
    _, services = builtin.read()
    for field in [field for service in services for field in service.fields]:
        assert field.example is None or fields.matches(field, field.example)


def test_a_wallet_asks_for_a_phone_number() -> None:
    _, services = builtin.read()
    wallet = next(service for service in services if service.code == "qiwi_usd_hpp")
    assert [(field.key, field.required) for field in wallet.fields] == [("phone", True)]
    assert fields.check(wallet, {"phone": "+380987654321"}) == ({"phone": "+380987654321"}, {})
    for wrong in ("380987654321", "+38098765432x", "+380987654321\n", "+123"):
        assert fields.check(wallet, {"phone": wrong}) == ({}, {"phone": "This value is not valid."})
    assert fields.check(wallet, {}) == ({}, {"phone": "This value should not be blank."})


async def test_a_second_load_writes_nothing(database: Database) -> None:
    await load_builtin(database.pool)
    before = await versions(database)
    await load_builtin(database.pool)
    assert await versions(database) == before
    assert len(before) == 12 + 50


async def test_a_load_mends_what_is_built_in_and_leaves_the_rest(database: Database) -> None:
    await load_builtin(database.pool)
    other = Method(code="other", category="alternative", name={"en": "Other"}, logo="/o.svg", icon="/o.svg")
    plastic = msgspec.structs.replace(CARD, name={"en": "Plastic"}, category="other", position=1)
    await queries.save_methods(database.pool, [other, plastic])
    assert await queries.method(database.pool, code="payment_card") == plastic
    await load_builtin(database.pool)
    catalogue = Catalogue(database.pool)
    assert await catalogue.method("payment_card") == CARD
    assert await catalogue.method("other") == other


async def test_all_that_a_service_or_method_has_is_kept(database: Database) -> None:
    method = Method(
        code="test",
        category="alternative",
        description="For tests",
        name={"en": "Test"},
        logo="/l.svg",
        icon="/i.svg",
        metadata={"a": [1, None]},
        position=3,
        hide=True,
    )
    service = Service(
        code="test_xts_test",
        method="test",
        flow="test",
        currency="XTS",
        fields=(STATUS,),
        amount_min=1,
        amount_max=9_999_999_00,
    )
    await queries.save_methods(database.pool, [method])
    await queries.save_services(database.pool, [service])
    assert await queries.method(database.pool, code="test") == method
    assert await queries.service(database.pool, code="test_xts_test") == service


async def test_what_the_catalogue_does_not_have_is_not_found(database: Database) -> None:
    catalogue = Catalogue(database.pool)
    with pytest.raises(NotFound):
        await catalogue.method("nope")
    with pytest.raises(NotFound):
        await catalogue.service("nope_usd_hpp")


def test_every_built_in_method_has_its_pictures_and_they_run_nothing() -> None:
    methods, services = builtin.read()
    pictures = builtin.pictures()
    assert {path for method in methods for path in (method.logo, method.icon)} == set(pictures)
    assert {service.method for service in services} <= {method.code for method in methods}
    for picture in pictures.values():
        assert set(re.findall(rb"<([^\s/>]+)", picture)) <= {b"svg", b"g", b"rect", b"circle", b"path", b"text"}
        assert not re.search(rb"href|style|\bon\w+=|<!", picture)


async def versions(database: Database) -> dict[str, str]:
    rows = await database.pool.fetch(
        "SELECT method AS code, xmin::text FROM methods UNION ALL SELECT service, xmin::text FROM services"
    )
    return {row["code"]: row["xmin"] for row in rows}
