"""Merchants' accounts: their options, keys, services, and the providers that stand behind them."""
