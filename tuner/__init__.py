"""tuner: nested-cross-validated hyperparameter search for PyTorch models, from one YAML file."""

from tuner.process import fix_vector_instructions

fix_vector_instructions()
