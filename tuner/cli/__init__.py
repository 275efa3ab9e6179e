"""The command line: one file per verb, and how errors, signals and terminals are met."""
