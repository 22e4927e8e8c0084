"""The list of an account's invoices, newest first: what may be asked of it, and how a page is read.

See contract#private-api.
"""
