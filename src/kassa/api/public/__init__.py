"""The public API, for browsers."""

from kassa.api.public import described
from kassa.api.public.invoices import Invoices

__all__ = ["Invoices", "described"]
