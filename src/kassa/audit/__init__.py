"""An account's history: who changed what of its settings, keys, services, provider accounts and rules, and when."""
