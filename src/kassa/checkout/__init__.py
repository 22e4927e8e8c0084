"""The checkout: where a payer chooses how to pay, and sees how it went when the merchant has no page of its own."""
