"""The keeper itself: what runs beside the daemon, so that no fix waits while a million rules are read.

It copies a registry into the state folder first and loads the copy: what is checked is what is kept, whatever becomes of the files
meanwhile. One message a registry goes to the daemon. It ends when the daemon does.
"""

from __future__ import annotations

import secrets
import select
import shutil
import signal
import socket
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from fences.difference import Difference
from fences.fence_set import FenceSet
from fences.in_order import GAP, in_order
from fences.load import load_registry
from fences.numbering import Ids, ids_of
from fences.problems import Problem, WrongRegistryError
from fences.registry import Registry
from pipeline.judging import rule_set_of
from pipeline.keeper.handover import Giver, HandoverEndError, Taker
from pipeline.keeper.kept import KeptRegistries
from pipeline.keeper.messages import Loaded, Message, Ready, Refused, Settings, Unchanged
from pipeline.keeper.registry_files import Look, Watch, copy_registry, same_bytes, sync
from pipeline.kept_ids import add_ids, write_ids
from pipeline.progress import loading

LOOK_EVERY_S = 0.1
"""A change is taken when two looks, so far apart, have seen the same: a file that is still being written to is not."""


@dataclass(slots=True)
class Keeper:
    """Watches one registry for one daemon. `now` is the registry handed over last, `kept_as` its number."""

    settings: Settings
    giver: Giver
    kept: KeptRegistries = field(init=False)
    watch: Watch = field(init=False)
    now: Registry | None = None
    kept_as: int = -1
    numbering: str = ""
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    _seen: Look | None = None
    _copied: tuple[Path, Look] | None = None

    def __post_init__(self) -> None:
        """Find its places."""
        self.kept = KeptRegistries(self.settings.state)
        self.watch = Watch(self.settings.registry)

    def start(self) -> bool:
        """Hand over what the daemon begins with; false where it must not begin.

        Without a saved state that is the registry. With one it is the registry under which the state was saved, then those that
        took effect later before a crash, then the registry as it is now, where it has changed.
        """
        kept, begin = self.kept, self.settings.in_force
        if begin is None and kept.of(0).is_dir():
            begin = 0  # it ended before it had saved anything
        try:
            self._copy()
            if begin is None:
                kept.forget()
                self._give(kept.tried, 0)
                return True
            later = list(kept.since(begin))
            last = later[-1] if later else begin
            kept.forget(before=begin, after=last)
            if not kept.of(begin).is_dir():
                self._say(Refused([_missing(kept.of(begin))]))
                return False
            changed = not same_bytes(kept.tried, kept.of(last))
            if changed:
                with loading() as progress:
                    load_registry(kept.tried, progress)
        except WrongRegistryError as error:
            self._say(Refused(self._told(error)))
            return False
        except OSError as error:
            self._say(Refused([self._not_copied(error)]))
            return False
        for number in (begin, *later):
            self._give(kept.of(number), number)
        if changed:
            self._give(kept.tried, last + 1)
        else:
            self._link(kept.of(last))
            shutil.rmtree(kept.tried)
        return True

    def go_on(self, channel: socket.socket) -> None:
        """Watch until the daemon ends."""
        before: Look | None = None
        while True:
            asked = bool(select.select([channel], [], [], LOOK_EVERY_S)[0])
            if asked and not channel.recv(1 << 10):
                return
            look = self.watch.look()
            if asked or (look == before and look != self._seen):
                self._reload(asked=asked)
            before = look

    def _reload(self, *, asked: bool) -> None:
        """Load the registry as it is now, and hand it over where it is good and another one."""
        try:
            self._copy()
            self._give(self.kept.tried, self.kept_as + 1, reload=True)
        except WrongRegistryError as error:
            self._say(Refused(self._told(error)))
        except OSError as error:
            self._say(Refused([self._not_copied(error)]))
        except _SameError:
            if asked:
                self._say(Unchanged())
        shutil.rmtree(self.kept.tried, ignore_errors=True)

    def _copy(self) -> None:
        self._seen = copy_registry(self.settings.registry, self.kept.tried, self._copied)

    def _link(self, folder: Path) -> None:
        """What is copied next is linked to this copy as far as it is the same."""
        if self._seen is not None:
            self._copied = (folder, self._seen)

    def _give(self, folder: Path, number: int, *, reload: bool = False) -> None:
        """Load a kept registry, or the one that is tried, and hand it over. Raises WrongRegistryError, `_SameError` and OSError."""
        started = time.perf_counter()
        with loading() as progress:
            registry, warnings = load_registry(folder, progress)
            before, differs, came = self.now, None, Ids([], [])
            if before is not None:
                if reload and registry.version == before.version:
                    raise _SameError
                ordered = in_order(registry, before)
                if reload:
                    self._refuse_losses(before, ordered.differs)
                registry, differs = ordered.registry, ordered.differs
                came = Ids(ordered.new_subjects, ordered.new_rules)
            fence_set = FenceSet(registry, progress).to_hand_over()
        fence_set.name_numbering(self._numbering(fence_set, came))
        rules = rule_set_of(fence_set, 1)
        if folder == self.kept.tried:
            sync(folder, list(self._seen.files) if self._seen is not None else [])
            self._link(self.kept.accept(number))
        # The daemon has the arrays now as well: what we go on with is the registry alone.
        self.now, self.kept_as = registry, number
        told = [replace(warning, file=self._as_given(warning.file)) for warning in warnings]
        self._say(Loaded(number, rules, differs, told, time.perf_counter() - started))

    def _numbering(self, fence_set: FenceSet, came: Ids) -> str:
        """The name of the numbering of what is handed over; its ids are written down before anything is saved under it."""
        state = self.settings.state
        if self.now is None:
            self.numbering = fence_set.numbering
            write_ids(state, self.numbering, ids_of(fence_set.registry))
        else:
            base, _, _ = self.numbering.partition("-")
            self.numbering = f"{base}-{self.run}"
            add_ids(state, self.numbering, came)
        return self.numbering

    def _refuse_losses(self, before: Registry, differs: Difference) -> None:
        """Raise WrongRegistryError where more of the subjects or rules would be dropped than may be."""
        problems = []
        for what, ids, gone in (
            ("subjects", before.subject_ids, differs.gone_subjects),
            ("rules", before.rule_ids, differs.gone_rules),
        ):
            there = np.array([name != GAP for name in ids], np.bool_)
            lost = int((gone & there).sum()) - (len(differs.other_effect) if what == "rules" else 0)
            if lost * 100 > self.settings.max_drop_pct * there.sum():
                text = f"{lost:,} of {there.sum():,} {what} would be dropped, more than {self.settings.max_drop_pct:g} %"
                write = "mend the registry, or set registry_max_drop_pct higher and restart: a start takes it"
                problems.append(Problem(str(self.settings.registry), None, "", text, write, kind="drop"))
        if problems:
            raise WrongRegistryError(problems)

    def _told(self, error: WrongRegistryError) -> list[Problem]:
        """The problems, with the files as the user knows them."""
        return [replace(p, file=self._as_given(p.file), what=self._as_given(p.what)) for p in error.problems]

    def _as_given(self, text: str) -> str:
        return text.replace(str(self.kept.tried), str(self.settings.registry))

    def _not_copied(self, error: OSError) -> Problem:
        where, why = str(error.filename or self.settings.registry), error.strerror or str(error)
        return Problem(where, None, "", f"the registry cannot be copied into the state folder: {why}", "mend that and reload")

    def _say(self, message: Message) -> None:
        self.giver.give(message)


class _SameError(Exception):
    """The registry says what it said before."""


def _missing(folder: Path) -> Problem:
    what = "the registry under which the state was saved is not there"
    return Problem(str(folder), None, "", what, "restore the whole state folder, or begin with an empty one")


def main() -> None:
    """Be the keeper of the daemon at the other end of the socket whose descriptor is the first argument."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # They go to the whole group, or to all of a service; when to end the daemon says.
        signal.signal(number, signal.SIG_IGN)
    channel = socket.socket(fileno=int(sys.argv[1]))
    try:
        keeper = Keeper(Taker(channel).take(), Giver(channel))
        if keeper.start():
            keeper.giver.give(Ready())
            keeper.go_on(channel)
    except (BrokenPipeError, ConnectionResetError, HandoverEndError):
        return


if __name__ == "__main__":
    main()
