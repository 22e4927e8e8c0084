"""Kassa: a payment gateway that takes a payer from an order to a paid invoice."""

__version__ = "0.1.0"
