"""Tests of the program as it runs: sources, flow, daemon, commands."""
