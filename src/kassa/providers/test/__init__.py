"""The provider ``test``: it pays at the bank of the test world, over real HTTP."""

from kassa.providers.test.verbs import provider

__all__ = ["provider"]
