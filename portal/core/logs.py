"""Keeps out of logs what an address itself grants: sign-in and download links are keys to whoever reads them."""

import logging
import re

_KEYS = re.compile(r"/(sign-in|download)/[^/\s?\"'#]+")


def without_keys(text: str) -> str:
    """Return text in which every address that lets somebody in has lost its key."""
    return _KEYS.sub(r"/\1/***", text)


class WithoutKeys(logging.Filter):
    """Takes keys out of a record's words; set on the loggers to which Django tells the address of a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = without_keys(str(record.msg))
        if isinstance(record.args, tuple):
            record.args = tuple(without_keys(item) if isinstance(item, str) else item for item in record.args)
        return True
