"""What the documents of all resources are made of (JSON:API, contract#formats)."""

from typing import Annotated

import msgspec

Amount = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "number"})]
AmountOrNull = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": ["number", "null"]})]


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """A value of the wire."""


class Reference(Wire, frozen=True, kw_only=True):
    """A JSON:API resource identifier."""

    type: str
    id: str


class Relation(Wire, frozen=True, kw_only=True):
    """A JSON:API relationship."""

    data: Reference | None


class Links(Wire, frozen=True, kw_only=True):
    """Where the object is read."""

    self: str
