"""Serving many visitors: several processes of the app behind one reverse proxy."""
