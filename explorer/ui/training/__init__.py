"""Trainings: the form, the progress and the details."""
