"""The private API's balances: what the account has in each currency, now (contract#private-api)."""

from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from kassa import ids, money
from kassa.accounts.model import Account
from kassa.api import auth
from kassa.api.description.operation import Answer, Caller, Operation, Parameter
from kassa.api.query import flag, lists
from kassa.db.view import account_view
from kassa.invoices.document.shapes import Links, Wire
from kassa.jsonapi.answers import answer
from kassa.ledger import operations as ledger
from kassa.ledger.model import Balances, LedgerAccount
from kassa.platform import Platform

PATH: Final = "/api/account/balances"

_MODE: Final = "filter[test_mode]"


class CurrencyAccount(Wire, frozen=True, kw_only=True):
    """What the account has in a currency. Amounts are texts with all of the currency's decimals, such as ``"0.00"``."""

    account_id: str
    """``comca_…``: always the same for a currency and mode."""
    active_balance: str
    """What the merchant can be paid out."""
    pending_balance: str
    """What belongs neither to the merchant nor to the payer yet."""
    reserved_balance: str
    """What is held back for refunds and charge-backs."""
    overdraft_limit: str
    """How far the active balance may fall below zero; always 0."""
    balance_lower_limit: None = None


class BalancesAttributes(Wire, frozen=True, kw_only=True):
    """The balances, by currency: the settlement currency first, then each that money has ever moved in."""

    currency_accounts: dict[str, CurrencyAccount]


class BalancesResource(Wire, frozen=True, kw_only=True):
    """The account as a JSON:API resource."""

    type: str = "account"
    id: str
    attributes: BalancesAttributes
    links: Links


class BalancesDocument(Wire, frozen=True, kw_only=True):
    """The account's balances."""

    data: BalancesResource


READ_BALANCES: Final = Operation(
    method="GET",
    caller=Caller.PRIVATE,
    summary="Read the account's balances",
    description="The balances at this moment, with everything that is booked.",
    parameters=(
        Parameter(
            name="test_mode",
            description="True for test mode; live mode otherwise. May also be written ``filter[test_mode]``.",
            schema={"enum": ["true", "false", "1", "0", ""]},
        ),
    ),
    answers=(Answer(type=BalancesDocument, description="The balances."),),
    errors=(HTTPStatus.BAD_REQUEST,),
)


class CurrencyAccounts:
    """The handler of ``/account/balances``."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def read(self, request: Request) -> Response:
        """GET: live mode's balances, or with ``?test_mode=true`` test mode's."""
        account = await auth.private_account(self._platform, request)
        given = {name: value for name, value in lists(request.query_params, {_MODE}).items() if value}
        test_mode = flag(given, _MODE) or False
        async with account_view(self._platform.view, account_id=account.account_id) as connection:
            balances = await ledger.balances(connection, account_id=account.account_id, test_mode=test_mode)
        return answer(BalancesDocument(data=_resource(self._platform, account, balances, test_mode=test_mode)))


def _resource(platform: Platform, account: Account, balances: Balances, *, test_mode: bool) -> BalancesResource:
    others = sorted({currency for _, currency in balances} - {account.currency})
    key = platform.root.derive("currency-account-id", test_mode=test_mode)
    return BalancesResource(
        id=account.account_id,
        attributes=BalancesAttributes(
            currency_accounts={
                currency: CurrencyAccount(
                    account_id=ids.derived_id("comca", account.tag, key, account.tag, currency),
                    active_balance=_amount(balances, LedgerAccount.ACTIVE, currency),
                    pending_balance=_amount(balances, LedgerAccount.PENDING, currency),
                    reserved_balance=_amount(balances, LedgerAccount.RESERVED, currency),
                    overdraft_limit=money.to_fixed(0, currency),
                )
                for currency in (account.currency, *others)
            }
        ),
        links=Links(self=PATH),
    )


def _amount(balances: Balances, ledger_account: LedgerAccount, currency: str) -> str:
    return money.to_fixed(balances.get((ledger_account, currency), 0), currency)
