"""Every provider that is installed, by its code."""

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Self

from kassa.config import Settings
from kassa.errors import NotFound, SettingsWrong
from kassa.outbound import Outbound
from kassa.providers.metered import metered
from kassa.providers.protocol import Provider

GROUP = "kassa.providers"
"""The entry point group. An entry's name is the provider's code, its object a ``Factory``."""

Factory = Callable[[Settings, Outbound], Provider | None]
"""Makes a provider; None: these settings do not offer it."""


def installed() -> list[str]:
    """Return the codes of the providers that are installed, offered by these settings or not, sorted."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


class Registry:
    """The providers of one process; made once at start."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = dict(providers)

    @classmethod
    def load(cls, settings: Settings, outbound: Outbound) -> Self:
        """Return the providers that are installed and offered.

        Raises ``SettingsWrong`` for one that cannot be loaded, and where two claim the same code.
        """
        providers: dict[str, Provider] = {}
        taken: dict[str, str] = {}
        for entry in entry_points(group=GROUP):
            if taken.setdefault(entry.name, entry.value) != entry.value:
                raise SettingsWrong(f"Two packages claim to be the provider {entry.name!r}.")
            provider = _factory(entry)(settings, outbound)
            if provider is not None:
                providers[entry.name] = metered(provider)
        return cls(providers)

    def get(self, code: str) -> Provider:
        """Return a provider. Raises ``NotFound`` for one that is not installed or not offered."""
        try:
            return self._providers[code]
        except KeyError:
            raise NotFound(f"There is no provider {code!r} here.") from None

    def codes(self) -> list[str]:
        """Return the codes of the providers, sorted."""
        return sorted(self._providers)


def _factory(entry: EntryPoint) -> Factory:
    try:
        factory: Factory = entry.load()
    except (ImportError, AttributeError) as error:
        raise SettingsWrong(f"The provider {entry.name!r} ({entry.value}) cannot be loaded: {error}.") from error
    return factory
