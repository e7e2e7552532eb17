"""Training the part finder on a layer of the classifier, which is not changed."""
