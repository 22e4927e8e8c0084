"""Payment providers: ``protocol`` (the five verbs), ``registry``, ``conformance``, and one folder a provider.

A provider is done when ``conformance`` passes. One from another package registers by the entry point group
``kassa.providers``, exactly as the one that lives here.
"""
