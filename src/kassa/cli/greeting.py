"""What ``kassa serve`` says to the person who started it, on standard output."""

import os
import sys

from rich.console import Console

from kassa.accounts.model import Keys
from kassa.cli.roles import Role
from kassa.config import Settings

_SERVICE = "payment_card_usd_hpp"


def tell(settings: Settings, roles: frozenset[Role], health_url: str, keys: Keys | None) -> None:
    """Print where everything answers and, in demo mode, the keys and a first request that can be run as it stands."""
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    with console.capture() as captured:
        _say(console, settings, _places(settings, roles, health_url), keys)
    try:
        sys.stdout.write(captured.get())
        sys.stdout.flush()
    except OSError:
        # Nobody listens: no reason to stop, nor for the interpreter to try again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _places(settings: Settings, roles: frozenset[Role], health_url: str) -> dict[str, str | None]:
    """Return what answers here, and where."""
    places = {
        "API and checkout": settings.base_url if Role.API in roles else None,
        "card gate": settings.gate_url if Role.GATE in roles else None,
        "fake bank": settings.bank_url if Role.BANK in roles else None,
        "demo shop": f"{settings.base_url}/demo/shop" if settings.demo and Role.API in roles else None,
        "health, metrics": health_url,
    }
    return {name: place for name, place in places.items() if place}


def _say(console: Console, settings: Settings, facts: dict[str, str | None], keys: Keys | None) -> None:
    console.print("\nKassa is ready.\n", style="bold")
    if keys is not None:
        facts |= {
            "account": keys.id,
            "API key": keys.api_key,
            "public key (test)": keys.public_key_test,
            "public key (live)": keys.public_key_live,
            "private key (test)": keys.private_key_test,
            "private key (live)": keys.private_key_live,
        }
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        console.print(f"  {name.ljust(width)}  {value}")
    if keys is not None:
        console.print("\nMake a card invoice:\n", style="bold")
        console.print(first_request(settings, keys))
        console.print("\nOpen the address in data.attributes.flow_data.action and pay; `kassa cards` lists test cards.")
        console.print(f"Its callbacks appear on {settings.base_url}/demo/shop.")
    console.print("\nCtrl-C stops Kassa; the data stays.\n")


def first_request(settings: Settings, keys: Keys) -> str:
    """Return a command that creates a card invoice, with a new reference_id each time it is run."""
    return (
        f"curl -sS -u {keys.id}:{keys.api_key} {settings.base_url}/api/payment-invoices \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        """  -d '{"data": {"type": "payment-invoices", "attributes": {"reference_id": "order-'$(date +%s)'",\n"""
        f"""       "service": "{_SERVICE}", "currency": "USD", "amount": 12.5, "test_mode": true,\n"""
        """       "description": "My first payment"}}}'"""
    )
