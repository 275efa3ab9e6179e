"""The command line: one file per verb, and the handling of errors, signals and terminals."""
