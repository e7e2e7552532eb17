"""Fine-tuning of classifiers and training of explanation modules."""
