"""Declaring, checking and parsing settings, each of which is one field of a dataclass."""
