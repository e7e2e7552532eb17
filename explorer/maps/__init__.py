"""Heatmaps drawn ahead and kept on disk."""
