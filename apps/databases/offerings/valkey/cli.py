"""Commands for valkey-cli as the platform's own user, over a node's socket; no password is ever on a command line."""

from apps.databases.offerings.valkey.acl import PLATFORM
from apps.databases.offerings.valkey.plans import CLI

ENV = {"VALKEYCLI_AUTH": PLATFORM.ref(), "REDISCLI_AUTH": PLATFORM.ref()}
_BINARY = f"{{{{package:{CLI}}}}}/bin/valkey-cli"


def argv(socket: str, *words: str) -> tuple[str, ...]:
    """Return the argv of one command, whose refusal is an exit code; with no words, commands come from the input.

    Those of the input go on whatever is refused.
    """
    return (_BINARY, "-s", socket, "--user", "platform", "--no-auth-warning", "-e", *words)


def holds(section: str, *facts: str, otherwise: str) -> tuple[str, ...]:
    """Return the words of a question: whether each of ``facts`` stands in a section of INFO, else an error."""
    command = '"CLUSTER","INFO"' if section == "cluster" else f'"INFO","{section}"'
    tests = " and ".join(f'string.find(i,"{fact}\\r",1,true)' for fact in facts)
    script = f'local i=redis.call({command}) if {tests} then return 1 end return redis.error_reply("{otherwise}")'
    return ("EVAL", script, "0")
