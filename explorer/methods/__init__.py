"""The methods that are compared: one object each, in a file of its own, listed in the registry.

Nothing here imports torch, so that pages can list methods before it is there.
"""
