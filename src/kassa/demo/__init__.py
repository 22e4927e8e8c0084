"""What ``serve --demo`` adds, so that a newcomer sees the whole of Kassa: a shop that is notified of its payments."""
