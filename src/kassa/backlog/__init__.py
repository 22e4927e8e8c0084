"""What waits: how much of it and for how long, for those who watch Kassa."""
