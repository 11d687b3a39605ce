"""The lines of an inventory: one for each object of a service, in the order of rendering (``Inventory.entries``)."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from portal.core.drivers.kubernetes import HANDLE_LABEL, Manifest, ObjectKind


@dataclass(slots=True)
class Entry:
    """One object. Without a ``uid`` it may or may not have been made."""

    kind: ObjectKind
    name: str
    at: int = 0  # its place in the order of rendering
    digest: str = ""  # of the manifest that was applied last
    uid: str = ""
    generation: int = 0  # as the answer to that said; 0 where a kind counts none
    resource_version: str = ""
    keep: bool = False  # not pruned while the service lives
    leaving: str = ""  # since when it is being taken away, ISO 8601

    @property
    def key(self) -> str:
        return f"{self.kind.key}/{self.name}"

    @property
    def identity(self) -> tuple[str, str, str]:
        """What names the object whatever version of its API is spoken."""
        return self.kind.group, self.kind.kind, self.name

    def as_json(self) -> dict[str, Any]:
        return {
            "plural": self.kind.plural, "namespaced": self.kind.namespaced, "at": self.at, "digest": self.digest,
            "uid": self.uid, "generation": self.generation, "resource_version": self.resource_version,
            "keep": self.keep, "leaving": self.leaving,
        }  # fmt: skip

    def take(self, answer: Manifest, digest: str) -> None:
        """Note what the API server answered to the manifest of this digest."""
        metadata = answer["metadata"]
        self.digest, self.uid, self.leaving = digest, metadata["uid"], ""
        self.generation, self.resource_version = metadata.get("generation", 0), metadata["resourceVersion"]

    def is_at(self, seen: Manifest) -> bool:
        """Whether an object as seen is the one that was applied last, unchanged by anybody since.

        A status moves the resource version on; so where a kind counts the generations of its spec, those are compared.
        """
        metadata = seen["metadata"]
        if metadata["uid"] != self.uid:
            return False
        if self.generation or metadata.get("generation"):
            return bool(metadata.get("generation") == self.generation)
        return bool(metadata["resourceVersion"] == self.resource_version)


def load(stored: Mapping[str, Mapping[str, Any]]) -> list[Entry]:
    """Return the lines of an inventory in the order of rendering."""
    return sorted((_entry(key, line) for key, line in stored.items()), key=lambda entry: entry.at)


def _entry(key: str, line: Mapping[str, Any]) -> Entry:
    api, _, name = key.rpartition("/")
    *group, version, kind = api.split("/")
    of = ObjectKind("/".join(group), version, kind, line["plural"], line.get("namespaced", True))
    rest = ("at", "digest", "uid", "generation", "resource_version", "keep", "leaving")
    return Entry(of, name, **{word: line[word] for word in rest if word in line})


def dump(entries: Iterable[Entry]) -> dict[str, dict[str, Any]]:
    return {entry.key: entry.as_json() for entry in entries}


def digest_of(content: Any) -> str:
    """Return the SHA-256 of something's canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def is_ours(there: Manifest, handle: str) -> bool:
    """Whether an object says that it is this service's."""
    return (there["metadata"].get("labels") or {}).get(HANDLE_LABEL) == handle


def is_going(there: Manifest | None) -> bool:
    """Whether an object is being taken away and waits for its finalizers."""
    return there is not None and bool(there["metadata"].get("deletionTimestamp"))
