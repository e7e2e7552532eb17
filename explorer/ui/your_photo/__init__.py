"""Pieces of the page for a visitor's own photo."""
