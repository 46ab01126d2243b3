"""How it runs: clock, sources, flow, engine, daemon, commands."""
