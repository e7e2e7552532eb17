"""Widgets and caches that several pages share."""
