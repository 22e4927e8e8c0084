"""Payment providers: ``protocol`` (the five verbs), ``registry``, ``conformance``, and one folder a provider.

A provider is done when ``conformance`` passes. Providers register by the entry point group ``kassa.providers``, from
this package or any other.
"""
