"""Named doubles around the portal: a broker that can lose what it holds, and a supervisor that obeys at once.

The backend between them is the real one, with its files. Real brokers and supervisors have chaos tests of their own.
"""

import dataclasses
from pathlib import Path

from portal.clusters.backends.local import codec, files, layout
from portal.clusters.backends.local.layout import Home, Wish
from portal.core.drivers import Phase, Run, RunResult, Unit, UnitState

Message = tuple[str, str]  # (task, argument)


class Broker:
    """Holds messages in a file, which a killed process leaves as it is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.sent = 0  # by this process
        self.lose_at = 0  # the message with which everything in the broker is lost; 0: none

    def send(self, message: Message) -> None:
        self.sent += 1
        if self.sent == self.lose_at:
            self.clear()
            return
        with self._path.open("a") as file:
            file.write("\t".join(message) + "\n")

    def take(self) -> Message | None:
        """Take out the oldest message."""
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        if not lines:
            return None
        self._path.write_text("".join(f"{line}\n" for line in lines[1:]))
        task, argument = lines[0].split("\t")
        return task, argument

    def clear(self) -> None:
        self._path.unlink(missing_ok=True)


class Obedient:
    """Reads wishes as the supervisor does, and says at once that they are fulfilled."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def obey(self) -> list[str]:
        """Fulfil every wish that is not yet; return the handles of which there is news."""
        return [handle for handle in layout.handles(self._data) if self._fulfil(Home(self._data, handle))]

    def crash(self, handle: str) -> None:
        """Have an engine be away, with nobody told."""
        home = Home(self._data, handle)
        home_state = dataclasses.replace(self._seen(home), phase=Phase.STARTING, ready=False, reason="Crashed")
        files.write_json(home.state_file, {"seen": codec.state_to_json(home_state)})

    def _fulfil(self, home: Home) -> bool:
        wish = home.wish()
        if wish is None:
            return False
        if wish.want == "absent":
            home.bury()
            return True
        before, state = self._seen(home), self._state(home, wish)
        if state != before:
            files.write_json(home.state_file, {"seen": codec.state_to_json(state)})
        return state != before

    def _state(self, home: Home, wish: Wish) -> UnitState:
        unit: Unit = codec.unit_from_json(dict(wish.unit))
        known = self._seen(home).runs
        runs = {run.key: known.get(run.key) or _result(run) for run in unit.runs}
        phase = Phase.RUNNING if unit.running else Phase.STOPPED
        return UnitState(phase, wish.generation, unit.running, ports=dict(wish.ports), runs=runs)

    def _seen(self, home: Home) -> UnitState:
        stored = (files.read_json(home.state_file) or {}).get("seen")
        return codec.state_from_json(stored) if stored else UnitState(Phase.QUEUED)


def _result(run: Run) -> RunResult:
    return RunResult("cancelled") if run.cancelled else RunResult("succeeded", 0)
