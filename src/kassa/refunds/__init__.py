"""Refunds: money that a merchant sends back to a payer. What follows from them is told in ``invoices.returns``."""
