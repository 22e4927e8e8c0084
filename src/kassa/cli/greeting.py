"""What ``kassa serve`` says to the person who started it, on standard output."""

import os
import sys

from rich.console import Console

from kassa.accounts.model import Keys
from kassa.config import Settings

_SERVICE = "payment_card_usd_hpp"


def tell(settings: Settings, keys: Keys | None) -> None:
    """Print where everything answers and, in demo mode, the keys and a first request that can be run as it stands."""
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    with console.capture() as captured:
        _say(console, settings, keys)
    try:
        sys.stdout.write(captured.get())
        sys.stdout.flush()
    except OSError:
        # Nobody listens: no reason to stop, nor for the interpreter to try again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(console: Console, settings: Settings, keys: Keys | None) -> None:
    console.print("\nKassa is ready.\n", style="bold")
    facts = {"API and checkout": settings.base_url, "card gate": settings.gate_url}
    if settings.demo:
        facts |= {"fake bank": settings.bank_url, "demo shop": f"{settings.base_url}/demo/shop"}
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
