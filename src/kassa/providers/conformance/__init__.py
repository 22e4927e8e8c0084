"""The definition of done for a provider: tests that a package runs against its own provider.

Write a fixture ``driver``, derive from the classes that apply, and run pytest (with pytest-asyncio)::

    @pytest.fixture
    async def driver() -> AsyncIterator[Driver]:
        yield MyDriver(...)

    class TestMyCards(CardProviderConformance):
        pass

    class TestMyWallets(RedirectProviderConformance):
        pass

    class TestMyStatement(StatementConformance):
        pass

    class TestMyCancellations(CancellationConformance):
        pass

    class TestMyDisputes(DisputeConformance):
        pass

    class TestMyReturns(ReturnConformance):
        pass

The driver is the outside world: a sandbox's cards and wallets, a payer, and real notifications.
"""

from kassa.providers.conformance.cancellations import CancellationConformance
from kassa.providers.conformance.cards import CardProviderConformance
from kassa.providers.conformance.disputes import DisputeConformance, ReturnConformance
from kassa.providers.conformance.driver import Counterpart, Disputing, Driver, Ending, RedirectDriver, Returning
from kassa.providers.conformance.redirects import RedirectProviderConformance
from kassa.providers.conformance.statements import StatementConformance

__all__ = [
    "CancellationConformance",
    "CardProviderConformance",
    "Counterpart",
    "DisputeConformance",
    "Disputing",
    "Driver",
    "Ending",
    "RedirectDriver",
    "RedirectProviderConformance",
    "ReturnConformance",
    "Returning",
    "StatementConformance",
]
