"""The catalogue of payment methods and of the services that use them."""
