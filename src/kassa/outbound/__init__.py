"""The only way out to the network: requests with a deadline and a capped answer, behind an address guard."""

from kassa.outbound.client import Answer, Outbound

__all__ = ["Answer", "Outbound"]
