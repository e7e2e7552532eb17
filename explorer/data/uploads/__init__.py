"""A visitor's own photo, from the bytes of a file to pixels."""
