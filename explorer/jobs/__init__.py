"""Trainings in background processes."""
