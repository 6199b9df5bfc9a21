"""Benchmarks: each is run by `python -m benchmarks.NAME` from the repository root."""
