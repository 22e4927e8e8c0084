"""The card gate: the only package that sees a card number, and it forgets it with the request (P10)."""
