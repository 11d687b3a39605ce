"""ACL entries as the kernel stores them."""

import errno
import os
import stat
from pathlib import Path

import pytest

from portal.bootstrap import acl

SOMEBODY = 54321


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    place = tmp_path / "closed"
    place.mkdir(mode=0o700)
    try:
        acl.grant(place, os.getuid(), acl.SEARCH)
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            pytest.skip("this file system keeps no ACLs")
        raise
    os.removexattr(place, acl.ATTRIBUTE)
    place.chmod(0o700)
    return place


def test_a_grant_lets_one_account_through_and_nobody_else(closed: Path) -> None:
    acl.grant(closed, SOMEBODY, acl.SEARCH)

    entries = acl.decode(os.getxattr(closed, acl.ATTRIBUTE))
    assert (acl.USER, acl.SEARCH, SOMEBODY) in entries
    assert (acl.OTHER, 0, acl.NOBODY_IN_PARTICULAR) in entries
    assert (acl.USER_OBJ, 7, acl.NOBODY_IN_PARTICULAR) in entries
    assert stat.S_IMODE(closed.stat().st_mode) & 0o707 == 0o700


def test_a_second_grant_keeps_the_first(closed: Path) -> None:
    acl.grant(closed, SOMEBODY, acl.SEARCH)
    acl.grant(closed, SOMEBODY + 1, acl.SEARCH | acl.READ)
    acl.grant(closed, SOMEBODY, acl.READ)

    entries = acl.decode(os.getxattr(closed, acl.ATTRIBUTE))
    assert (acl.USER, acl.SEARCH | acl.READ, SOMEBODY) in entries
    assert (acl.USER, acl.SEARCH | acl.READ, SOMEBODY + 1) in entries
    assert (acl.MASK, acl.SEARCH | acl.READ, acl.NOBODY_IN_PARTICULAR) in entries


def test_a_wider_mask_gives_nobody_what_the_old_one_held_back(closed: Path) -> None:
    held_back = [
        (acl.USER_OBJ, 7, acl.NOBODY_IN_PARTICULAR),
        (acl.USER, 7, SOMEBODY),
        (acl.GROUP_OBJ, 5, acl.NOBODY_IN_PARTICULAR),
        (acl.MASK, 0, acl.NOBODY_IN_PARTICULAR),
        (acl.OTHER, 0, acl.NOBODY_IN_PARTICULAR),
    ]
    os.setxattr(closed, acl.ATTRIBUTE, acl.encode(held_back))

    acl.grant(closed, SOMEBODY + 1, acl.SEARCH)

    entries = acl.decode(os.getxattr(closed, acl.ATTRIBUTE))
    assert (acl.USER, 0, SOMEBODY) in entries
    assert (acl.GROUP_OBJ, 0, acl.NOBODY_IN_PARTICULAR) in entries
    assert (acl.USER, acl.SEARCH, SOMEBODY + 1) in entries


def test_entries_survive_encoding_in_the_kernels_order() -> None:
    entries = [(acl.OTHER, 0, acl.NOBODY_IN_PARTICULAR), (acl.USER, 1, 2000), (acl.USER, 1, 1000), (acl.USER_OBJ, 7, 1)]

    assert acl.decode(acl.encode(entries)) == [entries[3], entries[2], entries[1], entries[0]]
