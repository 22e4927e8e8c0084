"""The invoice as merchants and payers see it."""
