"""Which payments wait for a person: an account's rules, what they hold, and who decided what."""
