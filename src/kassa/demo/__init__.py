"""What ``serve --demo`` adds so that a newcomer sees the whole of Kassa: a shop that is told of its payments."""
