"""The words of a column's name."""

import re

WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")  # of visit_date, visitDate or VISIT-DATE
