"""Pieces of the page with the map of photos."""
