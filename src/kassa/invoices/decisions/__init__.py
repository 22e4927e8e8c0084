"""A person's word on an invoice that waits for one."""
