"""Whose books are compared when."""
