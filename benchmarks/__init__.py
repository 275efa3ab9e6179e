"""Speed, measured beside what people would write by hand: `python -m benchmarks` prints ratios from one run."""
