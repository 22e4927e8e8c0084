"""OpenFintech's public data: what its files hold, and what of it the catalogue can take."""
