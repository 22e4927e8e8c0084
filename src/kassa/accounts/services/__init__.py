"""Which of the catalogue's services an account has, on what terms, and whether any provider covers them."""
