"""Engines that run independent tasks, such as one per category, in this process or with Ray."""
