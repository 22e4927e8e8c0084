"""An import of OpenFintech's data: what it takes, what it refuses, and that it can be repeated."""

import json
import shutil
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest

from kassa import money
from kassa.catalogue import builtin, operations, queries
from kassa.catalogue.model import Currency, Field, Method, Service
from kassa.catalogue.openfintech import files
from kassa.catalogue.operations import Report, Tally, load_builtin
from kassa.db.pool import Pool
from kassa.errors import CatalogueUnreadable
from tests.support.postgres import Database

REFUSED = {
    "currency DUST": "expected `int` <= 12 - at `$.exponent`",
    "currency bad": "expected `str` matching regex '^[A-Z0-9]{2,20}$' - at `$.code`",
    "currency TEA": "the file has it twice; the first one counts",
    "currency MUTE": "it has no name",
    "method Loud": "expected `str` matching regex '^[a-z0-9_]{1,100}$' - at `$.code`",
    "method homeless": "object missing required field `category`",
    "method nameless": "it has no name",
    "method noted": "it holds control characters",
    "service number 16": "expected `object`, got `int`",
    "service teapay_gbp_hpp": "object missing required field `amount_min`",
    "service tea_house_tea_hpp": "the file has it twice; the first one counts",
    "service ghost_usd_hpp": "there is no method ghost",
    "service nutcash_eur_hpp": "nothing lies between its limits, 10 and 1",
    "service nutcash_gbp_hpp": "its limits are no amounts",
    "service teapay_dust_hpp": "the number of decimals of DUST is unknown",
    "service teapay_eur_hpp": "its status is 'disabled'",
    "service teapay_uah_hpp": "two of its fields have the same key",
}

DROPPED = {
    "service teapay_usd_hpp, field document": r"/^[0-9]{10-14}$/: {10-14} is no quantifier",
    "service teapay_usd_hpp, field secret": r"/^(?=.*\d).{8,}$/: invalid perl operator: (?=",
}

IN_THREE = ("en", "ru", "uk")


@pytest.fixture
async def pool(database: Database) -> Pool:
    await load_builtin(database.pool)
    return database.pool


@pytest.fixture
def own_sample(sample: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(sample, tmp_path, dirs_exist_ok=True)
    return tmp_path


async def load(pool: Pool, folder: Path) -> Report:
    return await operations.load(pool, files.read(folder), advance=list[int]().append)


def change(folder: Path, file: str, code: str, /, **members: object) -> None:
    rows = json.loads((folder / file).read_text())
    next(row for row in rows if isinstance(row, dict) and row["code"] == code).update(members)
    (folder / file).write_text(json.dumps(rows))


async def test_good_rows_are_taken_and_bad_ones_are_refused_by_name(pool: Pool, sample: Path) -> None:
    report = await load(pool, sample)
    assert {each.name: each.reason for each in report.refused} == REFUSED
    assert {each.name: each.reason for each in report.dropped} == DROPPED
    assert report.tallies == [
        Tally(kind="currency", read=7, new=2, changed=0, unchanged=0, ours=1, refused=4),
        Tally(kind="method", read=8, new=3, changed=0, unchanged=0, ours=1, refused=4),
        Tally(kind="service", read=16, new=6, changed=0, unchanged=0, ours=1, refused=9),
    ]


async def test_methods_have_names_in_three_languages_and_pictures_of_ours(pool: Pool, sample: Path) -> None:
    await load(pool, sample)
    assert await queries.method(pool, code="teapay") == Method(
        code="teapay",
        category="digital_wallet",
        description="Pays while the kettle boils.",
        name={"en": "Tea Pay", "ru": "Чай Пэй", "uk": "Чай Пей"},
        logo="/static/methods/teapay/logo.svg",
        icon="/static/methods/teapay/icon.svg",
    )
    nutcash = await queries.method(pool, code="nutcash")
    assert nutcash is not None
    assert (nutcash.name, nutcash.hide) == (dict.fromkeys(IN_THREE, "Nut & <Cash>"), None)
    oldbank = await queries.method(pool, code="oldbank")
    assert oldbank is not None
    assert (oldbank.name, oldbank.hide) == (dict.fromkeys(IN_THREE, "Старый банк"), True)


async def test_a_service_keeps_its_fields_with_the_patterns_that_can_be_meant(pool: Pool, sample: Path) -> None:
    await load(pool, sample)
    service = await queries.service(pool, code="teapay_usd_hpp")
    assert service is not None
    assert (service.amount_min, service.amount_max) == (1, 123450)
    assert service.fields[0] == Field(
        key="phone",
        type="string",
        label={"en": "Phone", "ru": "Телефон", "uk": "Телефон"},
        example="+8613800000000",
        hint=dict.fromkeys(IN_THREE, "Enter phone"),
        regexp=r"^\+\d{10,14}$",
        required=True,
        position=1,
    )
    assert [(field.key, field.regexp, field.required, field.example) for field in service.fields[1:]] == [
        ("name", r"^[-\s\p{L}]{2,100}$", False, None),
        ("note", ".*", False, None),
        ("document", "", True, None),
        ("secret", "", False, None),
    ]


@pytest.mark.parametrize(
    "code,kind,limits",
    [
        ("tea_house_tea_hpp", ("teapay", "hpp", "TEA"), (1, money.AMOUNT_MAX - 1)),
        ("nutcash_nut_hpp", ("nutcash", "hpp", "NUT"), (1, 99)),
        ("nutcash_usd_invoice", ("nutcash", "invoice", "USD"), (0, 1000)),
        ("oldbank_eur_hpp", ("oldbank", "hpp", "EUR"), (100, 1000)),
        ("payment_card_chf_hpp", ("payment_card", "hpp", "CHF"), (5, 500000)),
    ],
)
async def test_limits_are_what_can_be_paid_within_them(
    pool: Pool, sample: Path, code: str, kind: tuple[str, str, str], limits: tuple[int, int]
) -> None:
    await load(pool, sample)
    method, flow, currency = kind
    assert await queries.service(pool, code=code) == Service(
        code=code, method=method, flow=flow, currency=currency, amount_min=limits[0], amount_max=limits[1]
    )


async def test_amounts_in_an_imported_currency_are_counted_at_once(pool: Pool, sample: Path) -> None:
    await load(pool, sample)
    assert money.to_minor(Decimal("0.00000001"), "TEA") == 1
    assert money.to_text(150_000_000, "TEA") == "1.5"
    assert money.exponent("NUT") == 0
    assert money.exponent("USD") == 2


async def test_a_second_import_changes_nothing_and_says_so(pool: Pool, sample: Path) -> None:
    first = await load(pool, sample)
    before = await versions(pool)
    second = await load(pool, sample)
    assert (first.changed, second.changed) == (True, False)
    assert await versions(pool) == before
    assert [(tally.new, tally.changed, tally.unchanged) for tally in second.tallies] == [
        (0, 0, 2),
        (0, 0, 3),
        (0, 0, 6),
    ]
    assert (second.refused, second.dropped) == (first.refused, first.dropped)


async def test_a_newer_edition_changes_what_differs_and_takes_nothing_away(pool: Pool, own_sample: Path) -> None:
    await load(pool, own_sample)
    change(own_sample, "payment_methods.json", "teapay", name={"en": "Tea & Pay"})
    change(own_sample, "payment_services.json", "nutcash_usd_invoice", amount_max=20)
    change(own_sample, "payment_services.json", "oldbank_eur_hpp", code="newbank_eur_hpp")
    change(own_sample, "currencies.json", "NUT", name={"en": "Hazelnuts"})
    report = await load(pool, own_sample)
    assert [(tally.new, tally.changed) for tally in report.tallies] == [(0, 1), (0, 1), (1, 1)]
    assert await queries.service(pool, code="oldbank_eur_hpp") is not None


async def test_what_amounts_are_counted_in_never_changes(pool: Pool, own_sample: Path) -> None:
    await load(pool, own_sample)
    change(own_sample, "currencies.json", "NUT", exponent=2)
    change(own_sample, "payment_services.json", "nutcash_usd_invoice", currency="EUR")
    report = await load(pool, own_sample)
    reasons = {each.name: each.reason for each in report.refused}
    assert reasons["currency NUT"] == "it is counted with 0 decimals here, and that cannot become 2 any more"
    assert reasons["service nutcash_usd_invoice"] == (
        "it is nutcash, invoice, USD here, and that cannot become nutcash, invoice, EUR any more"
    )
    assert await queries.exponents(pool) == {"NUT": 0, "TEA": 8}


async def test_the_database_lets_nobody_change_an_exponent(pool: Pool) -> None:
    nut = Currency(code="NUT", exponent=0, name={"en": "Nuts"}, type="digital")
    await queries.save_currencies(pool, [nut])
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute("UPDATE currencies SET exponent = 2")


async def test_what_kassa_brings_along_is_left_alone(pool: Pool, sample: Path) -> None:
    await load(pool, sample)
    methods, services = builtin.read()
    assert [await queries.method(pool, code=method.code) for method in methods] == list(methods)
    assert [await queries.service(pool, code=service.code) for service in services] == list(services)


async def test_a_row_that_makes_something_else_of_a_service_of_ours_is_refused(pool: Pool, own_sample: Path) -> None:
    change(own_sample, "payment_services.json", "payment_card_usd_hpp", currency="EUR")
    report = await load(pool, own_sample)
    reasons = {each.name: each.reason for each in report.refused}
    assert reasons["service payment_card_usd_hpp"].startswith("it is ")
    services = builtin.read()[1]
    assert [await queries.service(pool, code=service.code) for service in services] == list(services)


async def test_an_import_that_was_interrupted_is_finished_by_another(
    pool: Pool, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "BATCH", 2)
    done: list[int] = []

    def interrupt(rows: int) -> None:
        done.append(rows)
        if len(done) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await operations.load(pool, files.read(sample), advance=interrupt)
    report = await load(pool, sample)
    assert [(tally.new, tally.unchanged) for tally in report.tallies] == [(0, 2), (0, 3), (6, 0)]


async def test_every_row_counts_in_the_progress(pool: Pool, sample: Path) -> None:
    found = files.read(sample)
    done: list[int] = []
    await operations.load(pool, found, advance=done.append)
    assert sum(done) == sum(len(rows.good) for rows in (found.currencies, found.methods, found.services))


@pytest.mark.parametrize(
    "name,content,message",
    [
        ("currencies.json", None, "cannot be read: No such file or directory."),
        ("payment_methods.json", b'{"a": 1}', "is not a list in JSON: expected `array`, got `object`."),
        ("payment_services.json", b"[1,", "is not a list in JSON: input data was truncated."),
    ],
)
def test_a_folder_that_is_no_catalogue_is_refused(
    own_sample: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is None:
        (own_sample / name).unlink()
    else:
        (own_sample / name).write_bytes(content)
    with pytest.raises(CatalogueUnreadable) as refused:
        files.read(own_sample)
    assert str(refused.value) == f"{own_sample / name} {message}"


async def versions(pool: Pool) -> set[str]:
    rows = await pool.fetch(
        """
        SELECT currency || xmin::text AS version FROM currencies
        UNION ALL SELECT method || xmin::text FROM methods
        UNION ALL SELECT service || xmin::text FROM services
        """
    )
    return {row["version"] for row in rows}
