"""The private API, for merchants' servers."""

from kassa.api.private import described
from kassa.api.private.invoices import Invoices

__all__ = ["Invoices", "described"]
