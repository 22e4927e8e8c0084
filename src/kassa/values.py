"""The base of every value that Kassa passes around."""

import msgspec


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen value, named fields only."""
