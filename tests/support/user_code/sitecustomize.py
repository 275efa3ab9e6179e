"""Python imports this by itself where this folder is on its path: one more folder of models, as a user would add."""

from pathlib import Path

import tuner.models

tuner.models.__path__.append(str(Path(__file__).parent / "models"))
