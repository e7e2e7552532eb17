"""Engines that run the tasks of sweeps and comparisons, in this process or with Ray."""
