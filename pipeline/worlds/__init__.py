"""Simulated map, people, noise and stories, for the demo, the tests and the benchmarks."""
