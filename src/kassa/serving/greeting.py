"""What ``kassa serve`` says to the person who started it, on standard output: at most a screen of 24 lines."""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from kassa.accounts import queries
from kassa.accounts.model import Keys
from kassa.config import Settings
from kassa.demo.shop import SERVICE, TEST_CARD
from kassa.platform import Platform
from kassa.serving.roles import Role

Facts = dict[str, str | None]


async def missing(platform: Platform) -> list[str]:
    """Return what has to be done before anything can be paid, a reason and then commands; nothing in demo mode."""
    if platform.settings.demo:
        return []
    has_account, has_provider = await queries.payable(platform.pool, providers=platform.providers.codes())
    if has_provider:
        return []
    kassa = command()
    add = f"{kassa} providers add --account ACCOUNT --provider CODE --merchant-id ID --live --secret NAME"
    if has_account:
        return [
            "Nothing can be paid yet: no account has an installed provider. Next:",
            f"{kassa} accounts list",
            add,
        ]
    return ["Nothing can be paid yet: there is no account. Next:", f"{kassa} accounts create --service {SERVICE}", add]


def greet(
    settings: Settings, roles: frozenset[Role], health_url: str, keys: Keys | None, lacking: Sequence[str] = ()
) -> None:
    """Print where everything answers and, in demo mode, the credentials and a first request to paste."""
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    with console.capture() as captured:
        _say(console, settings, _places(settings, roles, health_url), keys, lacking)
    try:
        sys.stdout.write(captured.get())
        sys.stdout.flush()
    except OSError:
        # The reader is gone: no reason to stop, nor for the interpreter to try again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def command() -> str:
    """Return how ``kassa`` is typed here: by its name where the shell finds this one, else by its path."""
    here = Path(sys.executable).with_name("kassa")
    if shutil.which("kassa") == str(here):
        return "kassa"
    if not here.exists():
        return "python -m kassa"
    return str(here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here)


def first_request(settings: Settings, keys: Keys) -> str:
    """Return a command that makes an invoice and prints where it is paid; run again, it prints the same address."""
    return (
        f"curl -sS -u {keys.id}:{keys.api_key} \\\n"
        f"  {settings.base_url}/api/payment-invoices \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        """  -d '{"data": {"type": "payment-invoices", "attributes": {\n"""
        f"""       "reference_id": "order-1", "service": "{SERVICE}",\n"""
        """       "currency": "USD", "amount": 12.5, "test_mode": true}}}' \\\n"""
        """  | grep -o 'http[^"]*/cgi_[^"]*'"""
    )


def _places(settings: Settings, roles: frozenset[Role], health_url: str) -> Facts:
    """Return what answers here, and where."""
    api, base_url = Role.API in roles, settings.base_url
    if settings.demo and api:
        # The card page is where the shop leads to: its address alone opens nothing.
        return {
            "Start here": base_url,
            "Demo shop": f"{base_url}/demo/shop",
            "API, documented": f"{base_url}/docs",
            "The bank's desk": settings.bank_url,
            "Health, metrics": health_url,
        }
    return {
        "API and checkout": base_url if api else None,
        "API, documented": f"{base_url}/docs" if api else None,
        "Card pages": settings.gate_url if Role.GATE in roles else None,
        "The bank's desk": settings.bank_url if Role.BANK in roles else None,
        "Health, metrics": health_url,
    }


def _say(console: Console, settings: Settings, places: Facts, keys: Keys | None, lacking: Sequence[str]) -> None:
    ready = "Kassa is ready, in demo mode: no money moves." if settings.demo else "Kassa is ready."
    console.print(f"{ready}\n", style="bold")
    _list(console, places)
    if keys is not None:
        console.print()
        _list(
            console,
            {
                "Test card": f"{TEST_CARD}, any date, any code",
                "Account": keys.id,
                "API key": keys.api_key,
                "All keys": f"{command()} keys show",
            },
        )
        console.print("\nFrom your own code; this prints the address of a page to pay on:", style="bold")
        console.print(first_request(settings, keys))
    if lacking:
        reason, *commands = lacking
        console.print(f"\n{reason}\n", style="bold")
        for each in commands:
            console.print(f"  {each}")
    console.print(f"\nCtrl-C stops Kassa; the data stays{_where(settings)}.")


def _list(console: Console, facts: Facts) -> None:
    width = max(len(name) for name, value in facts.items() if value)
    for name, value in facts.items():
        if value:
            console.print(f"  {name.ljust(max(width, 15))}  ", end="", style="dim")
            console.print(value)


def _where(settings: Settings) -> str:
    """Return the place of the data, where it is Kassa's own to keep."""
    if settings.database_url:
        return ""
    home = settings.home_path()
    return f" in ~/{home.relative_to(Path.home())}" if home.is_relative_to(Path.home()) else f" in {home}"
