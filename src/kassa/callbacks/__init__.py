"""Telling the merchant: rows that are written with the change they tell of, signed and delivered by the worker."""
