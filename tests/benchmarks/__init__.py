"""Tests of the benchmarks' yardsticks."""
