"""What providers' statements show, kept as rows."""
