"""Idempotency keys: a request is executed once for each key, and repeats get the first result."""
