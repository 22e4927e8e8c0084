"""Reading a request's query, where a name that is there twice says nothing that can be relied on."""

from starlette.requests import Request

from kassa.errors import BadRequest


def once(request: Request, name: str) -> str | None:
    """Return a value of the query, or None where there is none. Raises ``BadRequest`` where there are several."""
    values = request.query_params.getlist(name)
    if len(values) > 1:
        raise BadRequest(f"The query has {name} twice.")
    return values[0] if values else None
