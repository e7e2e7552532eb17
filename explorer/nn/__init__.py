"""Networks: the classifiers that are explained, the explanation modules, and their files."""
