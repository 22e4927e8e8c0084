"""What may happen to one invoice: pure functions from a snapshot to a change."""
