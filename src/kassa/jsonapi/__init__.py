"""Reading requests and writing answers of machines: bodies, members, errors."""
