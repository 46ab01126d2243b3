"""The keeper of the registry: a process beside the daemon that watches, loads, checks and compiles it, and hands over arrays."""
