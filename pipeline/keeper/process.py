"""The keeper itself: what runs beside the daemon, so that no fix waits while a million rules are read.

It copies a registry into the state folder first and loads the copy: what is checked is what is kept, whatever becomes of the files
meanwhile. One message a registry goes to the daemon. It ends when the daemon does.
"""

from __future__ import annotations

import os
import secrets
import select
import shutil
import signal
import socket
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Thread

from fences.change_of_files import NotAloneError, change_of_files
from fences.difference import Difference
from fences.fence_set import FenceSet
from fences.known import GONE, Change, Known, change_of_all, known_of
from fences.load import load_registry
from fences.numbering import Ids, ids_of
from fences.problems import Problem, WrongRegistryError
from pipeline.judging import RuleSet, rule_set_of
from pipeline.keeper.handover import Giver, HandoverEndError, Taker
from pipeline.keeper.kept import KeptRegistries
from pipeline.keeper.messages import Loaded, Message, Ready, Refused, Settings, Unchanged
from pipeline.keeper.registry_files import Look, Watch, copy_registry, differing, sync
from pipeline.kept_ids import add_ids, write_ids
from pipeline.progress import loading

LOOK_EVERY_S = 0.05
"""A change is taken when two looks, so far apart, have seen the same: a file that is still being written to is not."""
MODEST = 5
"""How much the keeper stands back for the daemon, in steps of `nice`."""


@dataclass(slots=True)
class Keeper:
    """Watches one registry for one daemon. `known` is the registry handed over last (as `rules`), `kept_as` its number."""

    settings: Settings
    giver: Giver
    kept: KeptRegistries = field(init=False)
    watch: Watch = field(init=False)
    known: Known | None = None
    rules: RuleSet | None = None
    kept_as: int = -1
    numbering: str = ""
    daemon: int = field(default_factory=os.getppid)
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    _seen: Look | None = None
    _copied: tuple[Path, Look] | None = None
    _syncing: Thread | None = None

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
            changed = bool(differing(kept.tried, kept.of(last)))
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
            self._synced()
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
            self._copy(whole=asked)
            self._give(self.kept.tried, self.kept_as + 1, reload=True)
        except WrongRegistryError as error:
            self._say(Refused(self._told(error)))
        except OSError as error:
            self._say(Refused([self._not_copied(error)]))
        except _SameError:
            self._say(Unchanged())
        self._synced()
        shutil.rmtree(self.kept.tried, ignore_errors=True)

    def _copy(self, *, whole: bool = False) -> None:
        """Copy the registry as it is now; `whole`: also what seems to be as it was, should the times of files not be trusted."""
        _end_if_orphaned(self.daemon)
        like = None if whole else self._copied
        self._seen = copy_registry(self.settings.registry, self.kept.tried, like)
        known = like[1].files if like is not None else {}
        new = [name for name, stamp in self._seen.files.items() if known.get(name) != stamp]
        # That it outlives the machine takes as long as to read it, and can be seen to meanwhile.
        self._syncing = Thread(target=sync, args=(self.kept.tried, new), daemon=True)
        self._syncing.start()

    def _synced(self) -> None:
        if self._syncing is not None:
            self._syncing.join()
            self._syncing = None

    def _link(self, folder: Path) -> None:
        """What is copied next is linked to this copy as far as it is the same."""
        if self._seen is not None:
            self._copied = (folder, self._seen)

    def _give(self, folder: Path, number: int, *, reload: bool = False) -> None:
        """Load a kept registry, or the one that is tried, and hand it over. Raises WrongRegistryError, `_SameError` and OSError."""
        started = time.perf_counter()
        if self.known is None:
            with loading() as progress:
                known, warnings = known_of(folder, progress)
            differs, came = None, None
        else:
            change = self._change(self.known, folder)
            known, warnings, differs, came = change.known, change.warnings, change.differs, change.came
            if reload and known.registry.version == self.known.registry.version:
                raise _SameError
            if reload:
                self._refuse_losses(self.known, differs)
        known.fence_set.name_numbering(self._numbering(known.fence_set, came))
        self.rules = self._rule_set(known.fence_set, differs, came)
        if folder == self.kept.tried:
            self._synced()
            _end_if_orphaned(self.daemon)
            self._link(self.kept.accept(number))
        self.known, self.kept_as = known, number
        told = [replace(warning, file=self._as_given(warning.file)) for warning in warnings]
        self._say(Loaded(number, self.rules, differs, told, time.perf_counter() - started))

    def _change(self, before: Known, folder: Path) -> Change:
        """What a registry has become since the one handed over last; read alone is what can be read alone."""
        names = differing(self.kept.of(self.kept_as), folder)
        if all(name.startswith(("subjects", "rules")) for name in names):
            try:
                return change_of_files(before, folder, names)
            except NotAloneError:
                pass
        with loading() as progress:
            return change_of_all(before, folder, progress)

    def _rule_set(self, fence_set: FenceSet, differs: Difference | None, came: Ids | None) -> RuleSet:
        """The rule set to hand over; the directory of the subjects is made anew only when there are others."""
        given = fence_set.to_hand_over()
        others = differs is None or came is None or bool(came.subjects) or bool(differs.gone_subjects.any())
        if self.rules is None or others:
            return rule_set_of(given, 1)
        return RuleSet(given, self.rules.directory, self.rules.shard)

    def _numbering(self, fence_set: FenceSet, came: Ids | None) -> str:
        """The name of the numbering of what is handed over; its ids are written down before anything is saved under it."""
        state = self.settings.state
        if came is None:
            self.numbering = fence_set.numbering
            write_ids(state, self.numbering, ids_of(fence_set.registry))
        else:
            base, _, _ = self.numbering.partition("-")
            self.numbering = f"{base}-{self.run}"
            add_ids(state, self.numbering, came)
        return self.numbering

    def _refuse_losses(self, before: Known, differs: Difference) -> None:
        """Raise WrongRegistryError where more of the subjects or rules would be dropped than may be."""
        problems = []
        subjects = before.subjects.numbers, differs.gone_subjects, before.subjects.file_of, 0
        rules = before.rules.numbers, differs.gone_rules, before.rules.file_of, len(differs.other_effect)
        for what, (there, gone, file_of, made_anew) in (("subjects", subjects), ("rules", rules)):
            lost = int((gone & (file_of != GONE)).sum()) - made_anew
            if lost * 100 > self.settings.max_drop_pct * len(there):
                text = f"{lost:,} of {len(there):,} {what} would be dropped, more than {self.settings.max_drop_pct:g} %"
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


def _end_if_orphaned(daemon: int) -> None:
    """End where the daemon is gone: its state folder may be another one's by now."""
    if os.getppid() != daemon:
        raise SystemExit(0)


def _missing(folder: Path) -> Problem:
    what = "the registry under which the state was saved is not there"
    return Problem(str(folder), None, "", what, "restore the whole state folder, or begin with an empty one")


def main() -> None:
    """Be the keeper of the daemon at the other end of the socket whose descriptor is the first argument."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # They go to the whole group, or to all of a service; when to end the daemon says.
        signal.signal(number, signal.SIG_IGN)
    # Where there are too few cores for all, the fixes come first.
    os.nice(MODEST)
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
