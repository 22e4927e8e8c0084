"""Reading OpenFintech's public data, and converting it for the catalogue."""
