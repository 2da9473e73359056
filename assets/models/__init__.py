"""Models: labels, purged cross-validation, training, the registry and its gate."""
