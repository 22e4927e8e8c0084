import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po

from kassa.pages import languages

SOURCES = languages.FOLDER.parents[1]
METHODS = [
    ("catalogue/**.py", "python"),
    ("invoices/**.py", "python"),
    ("jsonapi/**.py", "python"),
    ("money.py", "python"),
    ("cardgate/**.py", "python"),
    ("checkout/**.py", "python"),
    ("demo/**.py", "python"),
    ("pages/**.py", "python"),
    ("pages/templates/**.html", "jinja2"),
]


KEYWORDS = {**DEFAULT_KEYWORDS, "Message": None}
"""What marks a text: ``errors.Message`` beside gettext's own words."""


def catalog(code: str) -> Catalog:
    whole = Catalog(locale=code)
    for name in languages.FILES:
        with (languages.FOLDER / code / "LC_MESSAGES" / name).open("rb") as file:
            for message in read_po(file, locale=code):
                whole[message.id] = message
    return whole


def key(message_id: object) -> object:
    return tuple(message_id) if isinstance(message_id, list | tuple) else message_id


def messages(code: str) -> list[Message]:
    return [message for message in catalog(code) if message.id]


@pytest.mark.parametrize("code", list(languages.languages()))
def test_every_text_of_the_pages_is_in_every_catalogue_and_nothing_else_is(code: str) -> None:
    found = extract_from_dir(SOURCES, METHODS, options_map={"**.html": {"silent": "false"}}, keywords=KEYWORDS)
    used = {key(text[2]) for text in found}
    assert {key(message.id) for message in messages(code)} == used


@pytest.mark.parametrize("code", ["ru", "uk"])
def test_a_language_is_whole(code: str) -> None:
    def has_text(message: Message) -> bool:
        forms = message.string if isinstance(message.string, list | tuple) else [message.string]
        return not message.fuzzy and all(forms)

    assert [message.id for message in messages(code) if not has_text(message)] == []


@pytest.mark.parametrize("code", ["ru", "uk"])
def test_a_translation_keeps_the_places_for_values(code: str) -> None:
    of_language = catalog(code)
    assert [(message.id, message.check(of_language)) for message in of_language if message.check(of_language)] == []


def test_russian_counts_in_three_forms() -> None:
    said = languages.translations("ru")
    forms = [said.ngettext("You can try once more.", "You can try %(count)s more times.", n) for n in (1, 3, 5)]
    assert [text % {"count": n} for text, n in zip(forms, (1, 3, 5), strict=True)] == [
        "Осталась 1 попытка.",
        "Осталось 3 попытки.",
        "Осталось 5 попыток.",
    ]


@pytest.mark.parametrize(
    "asked,cookie,invoice,accepted,expected",
    [
        ("uk", "ru", "en", "en", "uk"),
        (None, "ru", "en", "en", "ru"),
        (None, None, "uk_UA", "en", "uk"),
        (None, None, None, "de, ru;q=0.5, uk;q=0.7", "uk"),
        (None, None, None, "ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        (None, None, None, "ru;q=0, de", "en"),
        ("tlh", "xx", "", "de", "en"),
        (None, None, None, None, "en"),
        ("ua", None, None, None, "uk"),
    ],
)
def test_the_payer_gets_the_language_that_was_asked_for_most_clearly(
    asked: str | None, cookie: str | None, invoice: str | None, accepted: str | None, expected: str
) -> None:
    assert languages.choose(wanted=asked, cookie=cookie, invoice=invoice, accepted=accepted) == expected


@pytest.mark.parametrize("header", [",,;q=", "x" * 5000, "en;q=nan", ";;;", "ru" + ",ru" * 9999, "ru;q=1.5"])
def test_a_strange_accept_language_does_no_harm(header: str) -> None:
    assert languages.choose(wanted=None, cookie=None, invoice=None, accepted=header) in languages.languages()
