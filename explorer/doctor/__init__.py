"""Checking a workspace for problems, and repairing those that can be repaired safely."""
