"""Heatmaps that are computed in advance and stored on disk."""
