"""What each bank publishes, read into quotes: one module a bank, pure functions of the bytes that came."""
