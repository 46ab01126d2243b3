"""A plugin of pytest for mutants: a failing example is enough, hypothesis need not seek the smallest."""

from __future__ import annotations

from hypothesis import Phase, settings

settings.register_profile("mutants", phases=[Phase.explicit, Phase.generate], database=None)
settings.load_profile("mutants")
