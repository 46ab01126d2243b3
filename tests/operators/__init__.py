"""Tests of decoding, acceptance, judging and state."""
