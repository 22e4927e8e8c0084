"""The templates in each language, and rendering them."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from kassa.pages.assets import manifest
from kassa.pages.formatting import clock, moment, money
from kassa.pages.headers import security
from kassa.pages.languages import languages, translations

FOLDER = Path(__file__).parent / "templates"


@cache
def environment(language: str) -> Environment:
    """Return the templates in one language. All values are escaped."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The i18n extension adds this method, which its types do not know.
    made.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    made.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    made.globals.update(assets=manifest(), language=languages()[language], languages=list(languages().values()))
    made.globals.update(switcher=True, theme="auto", accent=None)
    made.globals.update(give_up=None, deadline=None, note="", support=None, terms=None, logo=None)
    made.filters["clock"] = clock
    made.filters["moment"] = lambda at: moment(at, language)
    made.filters["money"] = lambda minor, currency: money(minor, currency, language)
    return made


def page(
    template: str,
    *,
    language: str,
    site: str,
    status: int = 200,
    form_targets: Iterable[str] = (),
    state: str = "",
    **values: object,
) -> HTMLResponse:
    """Return a page with its headers.

    ``site`` is the base URL that it is served under. ``state`` changes whenever the page does; it is sent as a
    header, so that the page's script can poll it (HEAD) cheaply.
    """
    parts = urlsplit(site)
    html = environment(language).get_template(template).render(prefix=parts.path.rstrip("/"), state=state, **values)
    headers = security(https=parts.scheme == "https", form_targets=form_targets)
    headers |= {"content-language": language, "vary": "Accept-Language, Cookie"}
    if state:
        headers["kassa-state"] = state
    return HTMLResponse(html, status_code=status, headers=headers)
