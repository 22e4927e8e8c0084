"""Card numbers that nobody has: well formed, and each a new one."""

import secrets

from kassa.cardgate.brands import luhn


def new_number(first: str = "4", length: int = 16) -> str:
    """Return a number with the right check digit; its digits are random, so that it is found nowhere else."""
    body = first + "".join(secrets.choice("0123456789") for _ in range(length - len(first) - 1))
    return next(number for digit in "0123456789" if luhn(number := body + digit))
