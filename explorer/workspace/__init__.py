"""A workspace: the folder that holds a data set's classifier, modules and caches."""
