"""`python -m benchmarks`, which is what `make bench` calls."""

from benchmarks.run import main

main()
