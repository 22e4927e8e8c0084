from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from structlog.testing import capture_logs

from kassa.errors import DatabaseUnavailable, Invalid, KassaError, NotFound, ProviderSilent
from kassa.observability.requests import Observed
from kassa.pages import error_pages
from kassa.serving.listening import Listener, bind, port_of

ERRORS: dict[str, Exception] = {
    "silent": ProviderSilent(),
    "away": DatabaseUnavailable(),
    "ours": KassaError("a defect"),
    "defect": ZeroDivisionError(),
    "broken": HTTPException(HTTPStatus.INTERNAL_SERVER_ERROR),
    "unknown": NotFound(),
    "invalid": Invalid({}),
    "gone": HTTPException(HTTPStatus.NOT_FOUND),
}


async def fail(request: Request) -> Response:
    raise ERRORS[request.path_params["name"]]


@pytest.fixture
async def site() -> AsyncIterator[str]:
    pages = Starlette(routes=[Route("/{name}", fail)], exception_handlers=error_pages.handlers("http://site.test"))
    taken = bind("127.0.0.1", 0, "the pages' port")
    listener = Listener(Observed(pages, surface="base"), taken, finish_seconds=1)
    await listener.start()
    yield f"http://127.0.0.1:{port_of(taken)}"
    await listener.stop()
    taken.close()


@pytest.mark.parametrize("name", list(ERRORS))
async def test_every_page_that_is_our_fault_leaves_its_error_in_the_log(site: str, name: str) -> None:
    lines: list[Any]
    with capture_logs() as lines:
        async with aiohttp.ClientSession() as session, session.get(f"{site}/{name}") as answer:
            status = answer.status
    logged = [line["exc_info"] for line in lines if line["event"].startswith("page ")]
    assert logged == ([ERRORS[name]] if status >= HTTPStatus.INTERNAL_SERVER_ERROR else [])
