"""Pieces of the Photo page."""
