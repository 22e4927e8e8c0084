"""The rolling reserve: what is held back of a payment for refunds and charge-backs, until its time is over."""
