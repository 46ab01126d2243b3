"""Tests of what leaves the program: alerts, dead letters, metrics."""
