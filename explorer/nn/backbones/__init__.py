"""The classifiers that are explained, one file a family."""
