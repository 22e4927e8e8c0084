"""Comparing our books with the providers', so that no difference stays unseen (P2, P4)."""
