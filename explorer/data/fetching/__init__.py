"""Downloading and unpacking the data set, resumed and verified."""
