"""The tests mirror the rooms of the house; beside them the worked cases of the contract and an independent reference judge."""
