"""The bank of the test world: acquirer, issuer, wallets and 3-D Secure server behind real HTTP, with books of its own.

It shares nothing with Kassa: it has its own vocabulary, ids and files, and only the ``test`` provider talks to it.
Where to look: ``cards`` (which card does what) · ``instruments`` (other ways to pay) · ``model`` (the states of a
purchase) · ``operations`` (what changes them) · ``acquirer`` (the merchants' API) · ``payer`` (the pages of 3-D Secure
and wallets) · ``desk`` (a person resolves pending purchases) · ``faults`` and ``fault_injection`` (what goes wrong on
purpose) · ``notices`` and ``notifications`` (notifying the merchant) · ``books`` and ``queries`` (SQLite in
``home/bank``).
"""
