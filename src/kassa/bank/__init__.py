"""The bank of the test world: acquirer, issuer, wallets and 3-D Secure server behind real HTTP, with books of its own.

It is a stranger to Kassa: its own words, ids and files, spoken to by the ``test`` provider alone. Where to look:
``cards`` (which card does what) · ``instruments`` (and what else pays) · ``model`` (what may become of a purchase) ·
``operations`` (what follows) · ``acquirer`` (the merchants' API) · ``payer`` (the pages of 3-D Secure and wallets) ·
``desk`` (a person settles what is pending) · ``days`` and ``badness`` (what goes wrong on purpose) · ``notices`` and
``notifications`` (telling the merchant) · ``books`` and ``queries`` (SQLite in ``home/bank``).
"""
