"""Arrays to pictures and figures; nothing here computes an explanation."""
