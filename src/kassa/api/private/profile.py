"""The private API's view of the account itself: its name and options, never a key (contract#private-api)."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from kassa.accounts.model import Account
from kassa.api import auth
from kassa.api.description.operation import Answer, Caller, Operation
from kassa.invoices.document.shapes import Links, Wire
from kassa.jsonapi.answers import answer
from kassa.platform import Platform

PATH: Final = "/api/account/profile"


class ProfileAttributes(Wire, frozen=True, kw_only=True):
    """Who the merchant is, and how its account is set."""

    name: str
    description: str
    icon: str | None
    website: str | None
    currency: str
    """The settlement currency."""
    external_mid: str
    """How the account is known in ``original_data``."""
    created: int
    """Unix seconds, as every time."""
    forbid_public_access: bool
    only_final_callbacks: bool
    callback_url: str | None
    return_url: str | None
    merchant_url: str | None
    lifetime_minutes: int
    """How long an invoice can be paid, unless it says otherwise."""
    attempts: int
    """How often a payer may try."""


class ProfileResource(Wire, frozen=True, kw_only=True):
    """The account as a JSON:API resource."""

    type: str = "account"
    id: str
    attributes: ProfileAttributes
    links: Links


class ProfileDocument(Wire, frozen=True, kw_only=True):
    """The account."""

    data: ProfileResource


READ_PROFILE: Final = Operation(
    method="GET",
    caller=Caller.PRIVATE,
    summary="Read the account's profile",
    description="Its name and options. Keys are never shown.",
    answers=(Answer(type=ProfileDocument, description="The account."),),
)


class Profile:
    """The handler of ``/account/profile``."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def read(self, request: Request) -> Response:
        """GET: the account that the key opens."""
        account = await auth.private_account(self._platform, request)
        return answer(ProfileDocument(data=_resource(account)))


def _resource(account: Account) -> ProfileResource:
    return ProfileResource(
        id=account.account_id,
        attributes=ProfileAttributes(
            name=account.name,
            description=account.description,
            icon=account.icon,
            website=account.website,
            currency=account.currency,
            external_mid=account.external_mid,
            created=int(account.created_at.timestamp()),
            forbid_public_access=account.forbid_public_access,
            only_final_callbacks=account.only_final_callbacks,
            callback_url=account.callback_url,
            return_url=account.return_url,
            merchant_url=account.merchant_url,
            lifetime_minutes=account.lifetime_minutes,
            attempts=account.attempts,
        ),
        links=Links(self=PATH),
    )
