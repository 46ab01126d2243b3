"""What a command ends with (section 7 of the contract)."""

DONE = 0
FAILED = 1
WRONG_USAGE = 2
WRONG_REGISTRY = 78
"""A registry or a configuration that is wrong; every problem was listed."""
