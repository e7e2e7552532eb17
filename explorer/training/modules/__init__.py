"""Training of explanation modules, one or many at once."""
