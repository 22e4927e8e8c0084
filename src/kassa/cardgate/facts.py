"""What may be kept of a card (P10): first six, last four, expiry, brand, issuer, and a keyed fingerprint."""

import hashlib
import hmac

from kassa.cardgate import brands, issuers
from kassa.invoices.rules.attempt import CardFacts
from kassa.platform import Platform
from kassa.providers.protocol import Card


def card_facts(platform: Platform, card: Card, *, test_mode: bool) -> CardFacts:
    """Return what is kept; the fingerprint's key is not in the database, so a copy of it reveals no cards."""
    brand = brands.find(card.number)
    issuer = issuers.find(card.number)
    key = platform.root.derive("card-fingerprint", test_mode=test_mode)
    return CardFacts(
        first=card.number[:6],
        last=card.number[-4:],
        length=len(card.number),
        brand=brand.code if brand else "unknown",
        holder=card.holder,
        expiry_month=card.expiry_month,
        expiry_year=card.expiry_year,
        fingerprint=hmac.digest(key, card.number.encode(), hashlib.sha256),
        issuer_name=issuer.name if issuer else None,
        issuer_country=issuer.country if issuer else None,
    )
