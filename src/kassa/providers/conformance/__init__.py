"""The definition of done for a provider: tests that a package runs against its own.

Give them a ``driver``, derive from the classes that fit, and run pytest (with pytest-asyncio)::

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

The driver is the world outside: a sandbox's cards and wallets, a payer, and the notifications that it really sends.
"""

from kassa.providers.conformance.cancellations import CancellationConformance
from kassa.providers.conformance.cards import CardProviderConformance
from kassa.providers.conformance.driver import Counterpart, Driver, Ending, RedirectDriver
from kassa.providers.conformance.redirects import RedirectProviderConformance
from kassa.providers.conformance.statements import StatementConformance

__all__ = [
    "CancellationConformance",
    "CardProviderConformance",
    "Counterpart",
    "Driver",
    "Ending",
    "RedirectDriver",
    "RedirectProviderConformance",
    "StatementConformance",
]
