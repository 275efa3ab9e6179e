"""tuner: nested-cross-validated hyperparameter search for PyTorch models, from one YAML file."""
