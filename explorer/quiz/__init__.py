"""A quiz that tests whether explanations help people: its logic, without the user interface."""
