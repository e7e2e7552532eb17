"""Sweeps: modules for all categories, methods, settings and seeds, locally or on a cluster."""
