"""The options that count before a command is known: ``--data DIR`` and, for ``up``, ``--port N``."""

from __future__ import annotations


def take(arguments: list[str], option: str) -> tuple[list[str], str | None]:
    """Return the arguments without ``option VALUE`` (or ``option=VALUE``), and the value given last."""
    rest: list[str] = []
    value = None
    pending = iter(arguments)
    for argument in pending:
        if argument == "--":
            return [*rest, argument, *pending], value
        if argument == option:
            value = next(pending, "")
        elif argument.startswith(option + "="):
            value = argument[len(option) + 1 :]
        else:
            rest.append(argument)
    return rest, value
