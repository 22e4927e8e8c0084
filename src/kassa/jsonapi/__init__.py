"""Reading and writing JSON:API: bodies, members, answers, errors."""
