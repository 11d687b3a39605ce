"""The programs of a control plane, and ``kubectl``: given, kept from an earlier run, or built once from Go modules.

``python -m tests.cluster.binaries`` prints where the control plane's are, and builds what is not there; the same with
``kubectl`` behind it is for that one alone. Only benchmarks ask for it: no start of a control plane waits for it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from portal.bootstrap.alone import alone
from portal.bootstrap.say import say
from tests.cluster.go_toolchain import BuildFailed, go_command

NAMES = ("etcd", "kube-controller-manager", "kube-apiserver")
KUBECTL = "kubectl"
VERSION = "1.36.3"
SOURCE = Path(__file__).parent / "go"
# Without these the server reports a version that no client can parse. The date is that of the release.
STAMPS = {
    "gitMajor": "1",
    "gitMinor": "36",
    "gitVersion": f"v{VERSION}",
    "gitCommit": "built-for-tests",
    "gitTreeState": "clean",
    "buildDate": "2026-07-22T18:07:38Z",
}


def folder(names: Sequence[str] = NAMES) -> Path:
    """Return the directory that holds these programs. Takes minutes where they have to be built. Raises BuildFailed."""
    given = os.environ.get("KUBEBUILDER_ASSETS")
    if given and is_complete(Path(given), names):
        return Path(given)
    if given:
        say(f"KUBEBUILDER_ASSETS={given} lacks {' or '.join(names)}: using the project's own")
    kept = cache() / key(names)
    if not is_complete(kept, names):
        _build_alone(kept, names)
    return kept


def kubectl() -> Path:
    """Return the command line client of the same release. Raises BuildFailed."""
    return folder((KUBECTL,)) / KUBECTL


def is_complete(place: Path, names: Sequence[str] = NAMES) -> bool:
    return all(os.access(place / name, os.X_OK) for name in names)


def cache() -> Path:
    """Return where builds are kept: a test run that began as root names a place that outlives its account's home."""
    given = os.environ.get("ARCHIPEL_CONTROL_PLANE")
    return Path(given) if given else Path.home() / ".cache" / "archipel" / "control-plane"


def key(names: Sequence[str] = NAMES) -> str:
    """Return the name of a build: the version, and a digest of all that goes into it."""
    digest = hashlib.sha256(_linker_flags().encode())
    folders = {place for name in names for place in (SOURCE / name, _module(name))}
    for file in sorted(file for place in folders for file in place.iterdir() if file.is_file()):
        digest.update(f"{file.relative_to(SOURCE)}\0".encode() + file.read_bytes())
    return f"{VERSION}-{digest.hexdigest()[:12]}"


def _module(name: str) -> Path:
    """Return the Go module of a program. kubectl has one of its own: what it needs never rebuilds a control plane."""
    own = SOURCE / name
    return own if (own / "go.mod").exists() else SOURCE


def _linker_flags() -> str:
    stamps = [f"-X k8s.io/component-base/version.{name}={value}" for name, value in STAMPS.items()]
    return " ".join(["-s", "-w", *stamps])


def _build_alone(target: Path, names: Sequence[str]) -> None:
    """Build what is missing while nobody else does. What was built stays, so that a run cut off is taken up again."""
    with _locked(target):
        if is_complete(target, names):
            return
        target.mkdir(exist_ok=True)
        began = time.monotonic()
        what = f"Kubernetes {VERSION} ({', '.join(names)})"
        say(f"building {what} for the tests (once; some minutes on two cores)")
        scratch = target.with_name(f"{target.name}.building")
        go = go_command(scratch)
        for name in names:
            if not os.access(target / name, os.X_OK):
                _build(go, name, target, scratch)
        shutil.rmtree(scratch, ignore_errors=True)
        say(f"{what}: built ({time.monotonic() - began:.0f} s), kept in {target}")


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    lock, waiting = target.with_name(f"{target.name}.lock"), "waiting for another run that builds the same"
    with ExitStack() as held:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(alone(lock, os.O_RDWR | os.O_CREAT, waiting))
        except OSError as error:
            why = f"{target.parent} can't be written ({error.strerror}): set ARCHIPEL_CONTROL_PLANE"
            raise BuildFailed(why) from error
        yield


def _build(go: Path, name: str, target: Path, scratch: Path) -> None:
    began = time.monotonic()
    draft = scratch / name
    command = [str(go), "build", "-mod=readonly", "-modcacherw", "-trimpath", "-buildvcs=false"]
    command += ["-ldflags", _linker_flags(), "-o", str(draft), "."]
    done = subprocess.run(
        command, cwd=SOURCE / name, env=_environment(scratch), stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise BuildFailed(f"{name} could not be built with {go}:\n{done.stderr[-3000:]}")
    draft.chmod(0o755)
    draft.replace(target / name)
    say(f"built {name} ({time.monotonic() - began:.0f} s)")


def _environment(scratch: Path) -> dict[str, str]:
    """Return settings that keep Go's two caches, 3 GB for one build, in a directory that goes away afterwards."""
    places = {"GOPATH": "path", "GOMODCACHE": "modules", "GOCACHE": "objects", "GOTMPDIR": "work"}
    for name in places.values():
        (scratch / name).mkdir(parents=True, exist_ok=True)
    own = {variable: str(scratch / name) for variable, name in places.items()}
    return {**os.environ, **own, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}


if __name__ == "__main__":
    print(kubectl() if sys.argv[1:] == [KUBECTL] else folder())  # noqa: T201 - its answer
