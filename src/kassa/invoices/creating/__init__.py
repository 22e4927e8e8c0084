"""From what was asked for to a new invoice."""
