"""Workspaces: folders with the classifier, the modules and the caches of a data set."""
