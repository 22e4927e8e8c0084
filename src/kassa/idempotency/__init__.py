"""Requests that merchants name: a name is executed once, and its repeats are answered with the first result."""
