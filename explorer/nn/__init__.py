"""Networks: the explained classifiers, the explanation modules, and their files."""
