"""Downloading, verifying and unpacking the data set."""
