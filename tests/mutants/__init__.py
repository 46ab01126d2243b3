"""Rules broken on purpose: `python -m tests.mutants`, which is what `make mutants` calls."""
