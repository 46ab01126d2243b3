"""Tests of areas, rules and time windows."""
