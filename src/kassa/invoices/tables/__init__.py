"""Every statement over invoices and what belongs to them; ``carrying.carry_out`` alone changes them."""
