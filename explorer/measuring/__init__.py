"""Measures of photos, modules and classifiers, and the records that store them."""
