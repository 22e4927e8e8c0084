"""Authentication: the account of a key, and whether it may call from this address (contract#authentication)."""

import base64
import binascii
from ipaddress import ip_address, ip_network

from starlette.requests import Request

from kassa.accounts.model import Account
from kassa.errors import Forbidden, Unauthorized
from kassa.platform import Platform


async def private_account(platform: Platform, request: Request) -> Account:
    """Return the account whose id and API key the request's Basic credentials hold.

    Raises ``Unauthorized`` for credentials that are missing, unreadable, unknown or revoked, and ``Forbidden`` for an
    archived account or an address outside its allow-list.
    """
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        raise Unauthorized
    try:
        account_id, _, api_key = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise Unauthorized from None
    account = await platform.accounts.authenticate(account_id, api_key)
    if account.ip_allow_list and not _allowed(request, account.ip_allow_list):
        raise Forbidden("This account's API is not called from this address.")
    return account


def client_ip(request: Request) -> str:
    """Return the request's client address, or an empty text where it is not known."""
    return request.client.host if request.client else ""


def _allowed(request: Request, networks: tuple[str, ...]) -> bool:
    if request.client is None:
        return False
    try:
        address = ip_address(request.client.host)
    except ValueError:  # what a proxy says may be anything
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in ip_network(network) for network in networks)
