"""The reference: the contract's sections 4-6 judged one record at a time in plain Python; it imports nothing of the project."""

from tests.reference.replay import judge_records, judge_with_doubts

__all__ = ["judge_records", "judge_with_doubts"]
