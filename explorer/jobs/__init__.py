"""Trainings that run in background processes."""
