"""Money of an invoice that goes back to its payer: by the merchant's refunds, or charged back by his bank."""
