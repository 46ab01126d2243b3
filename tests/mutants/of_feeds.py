"""Mutations of J10's silent source: when it opens, whom it holds, from where deadlines count afterwards, gaps in a backlog."""

from __future__ import annotations

from tests.mutants.mutation import in_file

FEEDS = "tests/operators/test_feeds.py"
GAPS = "tests/pipeline/test_gaps.py"

FEED_MUTATIONS = (
    *in_file(
        "operators/feeds.py",
        FEEDS,
        ("a source is silent at exactly that long", "if due_ms >= clock_ms or", "if due_ms > clock_ms or"),
        ("one subject more is needed", "if len(whose) < policy.feed_min_subjects:", "if len(whose) <= policy.feed_min_subjects:"),
        ("a rejected or old record is no return", "max(heard.first_ms, feed.onset_ms or 0)", "heard.first_ms"),
        ("a return is not remembered", '["returned_ms"] = returned_ms', '["returned_ms"] = ABSENT_MS'),
        ("held for ever", '["held_from_ms"] = NEVER\n', '["held_from_ms"] = 0\n'),
        ("after a return nothing is looked at", "        self._state.memory.pool.head[NEXT_DUE] = 0\n", ""),
        ("sources keep their numbers under others", "for name in kept)], np.uint16)", "for name in names)], np.uint16)"),
        ("those who moved on are counted", '(row["heard_through"] == number) & (', "("),
    ),
    *in_file(
        "operators/contact.py",
        FEEDS,
        ("nobody is held", "return due_ms if due_ms < feed.held_from_ms else NEVER", "return due_ms"),
        ("held also who was silent before", "if due_ms < feed.held_from_ms else", "if feed.held_from_ms == NEVER else"),
        ("deadlines count from the last arrival", "max(row.arrival_ms, feed.returned_ms)", "row.arrival_ms"),
    ),
    *in_file(
        "operators/step.py",
        FEEDS,
        ("nobody is heard through anything", "        row.heard_through = feed\n", ""),
    ),
    *in_file(
        "pipeline/sources/gaps.py",
        GAPS,
        ("what is older does not come first", "elif min(waiting) < first:", "elif False:"),
        ("a gap of a stream is one of its source", "first - heard_ms > after_ms", "True"),
        ("gaps within a reading are overlooked", "            return following\n", "            return end\n"),
    ),
)
