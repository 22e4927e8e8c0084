"""What people, providers and the clock do to an invoice: read a snapshot, decide by the rules, carry the change out."""
