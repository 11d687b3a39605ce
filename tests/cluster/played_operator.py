"""Plays the operators of a cluster in which none runs: a test double, ``python -m`` or by the class ``Operator``.

It knows the API and the data files under ``operators/``, never a driver: what drivers write has to be right by the
reference. An object that names a Secret, a key or another object that is not there does not become ready.
"""

import argparse
import itertools
import json
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kubernetes import client, watch

from tests.cluster import played_answers as answers
from tests.cluster.played_answers import Object, Part
from tests.cluster.played_api import Api, Refused, path

MOODS = ("healthy", "slow", "degraded", "failed", "stale", "silent")
WORKERS = 4
PLURALS = {
    "Secret": "secrets",
    "Service": "services",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "ConfigMap": "configmaps",
}
MERGE = "application/merge-patch+json"
Key = tuple[str, str, str, str]  # api, kind, namespace, name


class Operator:
    """All operators at once. ``pace``: seconds between the phases of a mood; ``moods`` of single objects by name."""

    def __init__(self, kubeconfig: str, *, mood: str = "healthy", pace: float = 0.2) -> None:
        self.api, self.mood, self.pace = Api(kubeconfig), mood, pace
        self.moods: dict[str, str] = {}
        self.answered: set[Key] = set()  # what it has said the last phase of
        self.troubles: list[str] = []  # what the API server refused, newest last
        self._parts = {(part.api, part.kind): part for part in answers.parts()}
        self._seen: dict[Key, Object] = {}
        self._phase: dict[Key, tuple[str, int]] = {}
        self._due: dict[Key, float] = {}
        self._changed, self._over = threading.Condition(), threading.Event()
        self._threads: list[threading.Thread] = []

    # ---- running -----------------------------------------------------------------------------------------------------

    def start(self) -> "Operator":
        for part in self._parts.values():
            threading.Thread(target=self._watch, args=(part,), daemon=True).start()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(WORKERS)]
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """Answer no more. Watches end by themselves, with the next word or after seconds."""
        self._over.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(5)

    def __enter__(self) -> "Operator":
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def feel(self, mood: str, name: str = "") -> None:
        """Change the mood, of one object or of all, and look at them again."""
        if name:
            self.moods[name] = mood
        else:
            self.mood = mood
        with self._changed:
            self._due.update({key: 0.0 for key in self._seen if not name or key[3] == name})
            self._changed.notify_all()

    # ---- watching ----------------------------------------------------------------------------------------------------

    def _watch(self, part: Part) -> None:
        while not self._over.is_set():
            try:
                self._follow(part)
            except Exception:  # not served yet, gone, or cut off: begin anew
                self._over.wait(0.5)

    def _follow(self, part: Part) -> None:
        """List, and watch from there for a while; a short one, so that ``stop`` need not wait for long."""
        group, version = part.api.split("/")
        listed = self.api.call("GET", path(part.api, part.plural, ""))
        kind = {"apiVersion": part.api, "kind": part.kind}
        living = {self._note(part, {**kind, **item}) for item in listed["items"]}
        for key in [key for key in list(self._seen) if key[:2] == (part.api, part.kind) and key not in living]:
            self._forget(key)
        events = watch.Watch().stream(
            client.CustomObjectsApi(self.api.client).list_cluster_custom_object,
            group,
            version,
            part.plural,
            resource_version=listed["metadata"]["resourceVersion"],
            timeout_seconds=3,
        )
        for event in events:
            if event["type"] == "DELETED":
                self._forget(self._key(part, event["object"]))
            elif event["type"] in ("ADDED", "MODIFIED"):
                self._note(part, event["object"])
            if self._over.is_set():
                return

    def _key(self, part: Part, seen: Object) -> Key:
        return part.api, part.kind, seen["metadata"].get("namespace", ""), seen["metadata"]["name"]

    def _note(self, part: Part, seen: Object) -> Key:
        key = self._key(part, seen)
        with self._changed:
            before, self._seen[key] = self._seen.get(key), seen
            if before is None or _asked(before) != _asked(seen):
                self._due[key] = 0.0
                self._changed.notify()
        return key

    def _forget(self, key: Key) -> None:
        with self._changed:
            for held in (self._seen, self._phase, self._due):
                held.pop(key, None)  # type: ignore[attr-defined]

    # ---- answering ---------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while (key := self._next()) is not None:
            try:
                again = self._look(key)
            except Refused as error:
                self.troubles.append(f"{key[1]} {key[3]}: {error}")
                again = 0.2
            except Exception as error:  # the API server is away: try again
                self.troubles.append(f"{key[1]} {key[3]}: {error}")
                again = 1.0
            with self._changed:
                if again is not None and key in self._seen:
                    self._due.setdefault(key, time.monotonic() + again)

    def _next(self) -> Key | None:
        """Wait for an object that is due, and take it out of the queue."""
        with self._changed:
            while not self._over.is_set():
                soonest = min(self._due, key=self._due.__getitem__, default=None)
                wait = 1.0 if soonest is None else self._due[soonest] - time.monotonic()
                if soonest is not None and wait <= 0:
                    del self._due[soonest]
                    return soonest
                self._changed.wait(min(wait, 1.0))
        return None

    def _look(self, key: Key) -> float | None:
        """Answer one object; return the seconds after which to look again, None where it is at rest."""
        part, known = self._parts[key[:2]], self._seen.get(key)
        seen = known and self.api.find(path(key[0], part.plural, key[2], key[3]))
        if not seen:
            return None
        if seen["metadata"].get("deletionTimestamp"):
            self._let_go(part, seen)
            return None
        phases = part.phases(self.moods.get(key[3], self.mood))
        if not phases:
            return None
        self._hold(part, seen)
        lacking = self._lacking(part, seen)
        if lacking:
            self._say(part, seen, part.lacking, lacking=lacking)
            return 0.3
        self._make(part, seen)
        return self._advance(key, part, seen, phases)

    def _advance(self, key: Key, part: Part, seen: Object, phases: list[Object]) -> float | None:
        """Say the phase that it is at; what is asked anew begins with the first."""
        mark = f"{_asked(seen)} {phases}"
        before, at = self._phase.get(key, ("", 0))
        at = min(at + 1, len(phases) - 1) if before == mark else 0
        self._say(part, seen, phases[at])
        self._phase[key] = (mark, at)
        (self.answered.discard if at < len(phases) - 1 else self.answered.add)(key)
        return self.pace if at < len(phases) - 1 else None

    def _say(self, part: Part, seen: Object, template: Object, **more: Any) -> None:
        meta = seen["metadata"]
        before = seen.get("status") or {}
        after = answers.status(template, answers.words(seen, **more), before)
        if after != before:
            there = path(part.api, part.plural, meta.get("namespace", ""), meta["name"])
            self.api.call("PUT", f"{there}/status", {**seen, "status": after})

    def _lacking(self, part: Part, seen: Object) -> str:
        """Say the first thing that an object names and that is not there."""
        said = answers.words(seen)
        told = (self._lacks(need, inner) for need in part.needs for inner in answers.each(need, said))
        return next(filter(None, told), "")

    def _lacks(self, need: Object, said: Mapping[str, Any]) -> str:
        place = said["namespace"]
        if "secret" in need:
            name = answers.filled(need["secret"], said)
            secret = self.api.find(path("v1", "secrets", place, name))
            lacks = answers.missing_keys(secret, name, answers.filled(need.get("keys", []), said))
            wrong = not lacks and [
                key
                for key, value in answers.filled(need.get("values", {}), said).items()
                if answers.value_of(secret or {}, key) != value
            ]
            return lacks or (f'secret "{name}" has another {wrong[0]}' if wrong else "")
        other = answers.filled(need["object"], said)
        at = path(other["apiVersion"], other["plural"], place if other.get("namespaced", True) else "", other["name"])
        return "" if self.api.find(at) else f'{other["plural"]} "{other["name"]}" not found'

    def _make(self, part: Part, seen: Object) -> None:
        """Make what the operator makes, once; the garbage collector takes it away with the root, unless it is kept."""
        said = answers.words(seen)
        owner = {"apiVersion": part.api, "kind": part.kind, "name": said["name"], "uid": seen["metadata"]["uid"]}
        for entry, inner in itertools.chain.from_iterable(
            ((entry, inner) for inner in answers.each(entry, said)) for entry in part.makes
        ):
            made = answers.filled(entry["object"], inner)
            if not answers.filled(entry.get("keep", False), inner):
                made["metadata"]["ownerReferences"] = [{**owner, "controller": True, "blockOwnerDeletion": True}]
            there = path(made["apiVersion"], PLURALS[made["kind"]], said["namespace"])
            if self.api.find(f"{there}/{made['metadata']['name']}") is None:
                self.api.call("POST", there, made)

    def _hold(self, part: Part, seen: Object) -> None:
        held = seen["metadata"].get("finalizers") or []
        if part.finalizer and part.finalizer not in held:
            self._finalizers(part, seen, [*held, part.finalizer])

    def _let_go(self, part: Part, seen: Object) -> None:
        held = seen["metadata"].get("finalizers") or []
        if part.finalizer in held:
            self._finalizers(part, seen, [name for name in held if name != part.finalizer])

    def _finalizers(self, part: Part, seen: Object, names: list[str]) -> None:
        meta = seen["metadata"]
        there = path(part.api, part.plural, meta.get("namespace", ""), meta["name"])
        changed = self.api.call("PATCH", there, {"metadata": {"finalizers": names}}, MERGE)
        seen["metadata"] = changed["metadata"]


def _asked(seen: Object) -> str:
    """Return what an operator acts on: spec, annotations, and that it is to go."""
    meta = seen["metadata"]
    told = (meta.get("uid"), meta.get("annotations"), meta.get("deletionTimestamp"), seen.get("spec"))
    return json.dumps(told, sort_keys=True)


def main() -> int:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--kubeconfig", required=True, type=Path)
    reader.add_argument("--pace", type=float, default=2.0, help="seconds between the phases of a status")
    reader.add_argument("--mood", choices=MOODS, default="slow")
    given = reader.parse_args()
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    with Operator(given.kubeconfig.read_text(), mood=given.mood, pace=given.pace) as operator:
        while not over.wait(1):
            while operator.troubles:
                sys.stderr.write(f"{operator.troubles.pop(0)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
