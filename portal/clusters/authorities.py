"""Authorities of services, written out for who connects from this machine: files in the data directory.

The region of this machine has one that all its services share; a service elsewhere may have one of its own.
"""

from pathlib import Path

from django.conf import settings


def write(handle: str, pem: str) -> Path:
    """Return a file with what verifies a service: this machine's own, else one written here. Raises OSError."""
    own, machine = file_of(handle), _public() / "ca.pem"
    if machine.is_file() and machine.read_text() == pem:
        return machine
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(pem)
    own.chmod(0o644)  # public, for whoever connects
    return own


def remove(handle: str) -> list[str]:
    """Remove the file of a service that goes; name it where that can't be done."""
    own = file_of(handle)
    try:
        own.unlink(missing_ok=True)
    except OSError:
        return [f"certificate {own.name}"]
    return []


def file_of(handle: str) -> Path:
    return _public() / f"{handle}-ca.pem"


def _public() -> Path:
    return Path(settings.ARCHIPEL_DATA) / "public"
