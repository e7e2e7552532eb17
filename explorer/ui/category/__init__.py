"""Pieces of the Category page."""
