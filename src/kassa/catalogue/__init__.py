"""The catalogue: which payment methods there are, and which services take money by them."""
