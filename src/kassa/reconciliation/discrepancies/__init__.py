"""Differences, each from the run that saw it first to its end."""
