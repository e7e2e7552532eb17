"""The classifiers that are explained, one file per family."""
