"""The API server's audit log: which requests a user or a program has sent, as the server itself counted them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

# The cluster's own programs are left out; of a watch its beginning counts, since its end may be an hour away.
POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "users": ["system:apiserver", "system:kube-controller-manager"]},
        {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
        {"level": "Metadata"},
    ],
}


@dataclass(frozen=True)
class Request:
    """One request that the API server has answered, or begun to answer if it is a watch."""

    user: str
    agent: str
    verb: str  # get list watch create update patch delete deletecollection
    group: str  # empty: the core group
    resource: str
    subresource: str
    namespace: str
    name: str
    uri: str
    status: int


def write_policy(file: Path) -> None:
    file.write_text(yaml.safe_dump(POLICY))


class Log:
    """Reads on from marks: ``mark = log.mark()``, do something, ``log.requests(since=mark, agent="archipel")``."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def mark(self) -> int:
        """Return where the log ends at the moment. A request is in it once its answer is complete."""
        return self.file.stat().st_size if self.file.exists() else 0

    def requests(self, *, since: int = 0, user: str = "", agent: str = "", namespace: str = "") -> list[Request]:
        """Return the requests after a mark, each once: of a user, with a word in the User-Agent, in a namespace."""
        found = dict(self._read(since))
        return [one for one in found.values() if _fits(one, user, agent, namespace)]

    def _read(self, since: int) -> Iterator[tuple[str, Request]]:
        if not self.file.exists():
            return
        with self.file.open("rb") as lines:
            lines.seek(since)
            for line in lines:
                if line.endswith(b"\n"):
                    yield _request(line)


def _request(line: bytes) -> tuple[str, Request]:
    event = json.loads(line)
    what = event.get("objectRef", {})
    place = [what.get(key, "") for key in ("apiGroup", "resource", "subresource", "namespace", "name")]
    who = (event["user"]["username"], event.get("userAgent", ""), event["verb"])
    status = event.get("responseStatus", {}).get("code", 0)
    return event["auditID"], Request(*who, *place, event["requestURI"], status)


def _fits(request: Request, user: str, agent: str, namespace: str) -> bool:
    return (
        (not user or request.user == user)
        and agent in request.agent
        and (not namespace or request.namespace == namespace)
    )
