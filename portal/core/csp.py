"""The content security policy: everything from our own origin, nothing inline, nothing framed."""

from collections.abc import Mapping

HEADER = "Content-Security-Policy"
DIRECTIVES: Mapping[str, str] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "font-src": "'self'",
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}


def policy(changes: Mapping[str, str] | None = None) -> str:
    """Return the header's value; a page that needs another directive sets the header itself with its ``changes``."""
    return "; ".join(f"{name} {value}" for name, value in {**DIRECTIVES, **(changes or {})}.items())
