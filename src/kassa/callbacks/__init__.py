"""Notifying the merchant: rows that are written with the change they are about, signed and delivered by the worker."""
