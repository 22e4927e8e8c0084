"""Listening to an account's callbacks for a while, beside its own endpoint: leases that end by themselves."""
