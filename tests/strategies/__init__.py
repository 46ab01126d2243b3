"""Random small registries and tracks for property tests: the fast judge beside the reference."""

from tests.strategies.registries import Plan, plans
from tests.strategies.scenarios import Judged, Scenario, is_basic, scenarios, settle

__all__ = ["Judged", "Plan", "Scenario", "is_basic", "plans", "scenarios", "settle"]
