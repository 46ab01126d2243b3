"""Random small registries and tracks for property tests: the fast judge beside the reference."""

from tests.strategies.registries import Plan, plans
from tests.strategies.scenarios import Judged, Scenario, at_rest, is_basic, scenarios, settle

__all__ = ["Judged", "Plan", "Scenario", "at_rest", "is_basic", "plans", "scenarios", "settle"]
