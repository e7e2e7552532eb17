"""A module for every category, method, setting and seed, here or on a cluster."""
