"""Bad values, as they go over the wire: texts that mean something elsewhere, and JSON of every other type."""

import json
from dataclasses import dataclass

CANARY = "canary-of-a-shell"
TEXTS: dict[str, str] = {
    "empty": "",
    "blank": " ",
    "padded": "  padded  ",
    "long": "x" * 5000,
    "long in bytes": "ä" * 400,
    "nul": "a\0b",
    "newline": "one\ntwo",
    "carriage return": "one\r\nSet-Cookie: two=2",
    "tab": "a\tb",
    "escape": "\x1b[31mred\x1b[0m",
    "bell": "a\x07b",
    "delete": "a\x7fb",
    "next line": "a\u0085b",
    "line separator": "a\u2028b",
    "right to left": "\u202egpj.exe",
    "isolate": "a\u2066b",
    "zero width": "a\u200bb",
    "combining": "e" + "\u0301" * 20,
    "not normal": "ﬁ Å ｆｕｌｌ",
    "emoji": "👩\u200d🔬 🇪🇺",
    "other scripts": "数据库 база ฐานข้อมูล قاعدة",
    "astral": "𝔞𝔟𝔠",
    "noncharacter": "a\uffffb",
    "half a pair": "a\ud800b",
    "shell": f"$(touch {CANARY}) `touch {CANARY}` ; touch {CANARY} | touch {CANARY}",
    "shell option": "--help",
    "quoted shell": f"'; touch {CANARY}; '",
    "sql": "'; DROP TABLE resources_resource; --",
    "sql quotes": "\"'''\"\\'",
    "sql dollar": "$$ $body$ x",
    "placeholder": "{{secret:superuser.password}} {{dir}} {{lb}}",
    "format": "%s %(name)s {0} {name!r} ${HOME}",
    "template": "{% debug %}{{ request }}",
    "html": "<script>alert(1)</script>\"' onmouseover=x",
    "path": "../../../etc/passwd",
    "percent nul": "a%00b",
    "formula": '=cmd|"/c calc"!A1',
    "url": "https://169.254.169.254/latest",
    "number": "12",
    "word true": "true",
    "word null": "null",
    "own prefix": "archipel.own",
    "last moment": "9999-12-31T23:59:59.999999-14:00",
    "first moment": "0001-01-01T00:00:00+14:00",
    "no such day": "2026-02-30T00:00:00Z",
    "day": "2026-01-01",
    "all networks": "0.0.0.0/0",
    "zone": "fe80::1%eth0",
    "address in tags": "a@b.example",
}
DEEP = "[" * 60 + "]" * 60
OTHERS: dict[str, str] = {
    "null": "null",
    "true": "true",
    "zero": "0",
    "minus": "-1",
    "fraction": "1.5",
    "large": "2147483648",
    "larger": "9223372036854775808",
    "largest": "1" + "0" * 400,
    "out of range": "1e999",
    "not a number": "NaN",
    "infinite": "-Infinity",
    "list": "[]",
    "list of null": "[null]",
    "object": "{}",
    "object of odd keys": json.dumps({"": 1, "a/b~c": "x", "\u202e": "x", "x" * 200: "y"}),
    "many": json.dumps(["x"] * 2000),
    "deep": DEEP,
    "double key": '{"a": 1, "a": 2}',
    "nul in key": '{"a\\u0000": 1}',
}


@dataclass(frozen=True)
class Bad:
    """A value by its name, as JSON; ``text`` is what it is where it is a text."""

    name: str
    wire: str
    text: str | None = None


ALL: tuple[Bad, ...] = (
    *(Bad(name, json.dumps(text), text) for name, text in TEXTS.items()),
    *(Bad(name, wire) for name, wire in OTHERS.items()),
)
# What is no body at all, whatever the fields: content type and bytes.
BODIES: dict[str, tuple[str, bytes]] = {
    "no utf-8": ("application/json", b'{"name": "\xff\xfe"}'),
    "overlong utf-8": ("application/json", b'{"name": "\xc0\xaf"}'),
    "utf-16": ("application/json; charset=utf-16", '{"name": "x"}'.encode("utf-16")),
    "byte order mark": ("application/json", b'\xef\xbb\xbf{"name": "x"}'),
    "cut off": ("application/json", b'{"name": "x'),
    "two": ("application/json", b"{} {}"),
    "trailing comma": ("application/json", b'{"a": 1,}'),
    "comment": ("application/json", b"{/* a */}"),
    "a list": ("application/json", b"[]"),
    "a text": ("application/json", b'"x"'),
    "null": ("application/json", b"null"),
    "spaces": ("application/json", b"   "),
    "gzipped": ("application/json", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00C\xbf\xa6\xa3\x02\x00"),
    "deep lists": ("application/json", b"[" * 100_000 + b"]" * 100_000),
    "deep objects": ("application/json", b'{"a":' * 20_000 + b"1" + b"}" * 20_000),
    "too large": ("application/json", b'{"name": "' + b"x" * 1_100_000 + b'"}'),
    "a form": ("application/x-www-form-urlencoded", b"name=x"),
    "multipart": ("multipart/form-data; boundary=x", b"--x--"),
    "plain": ("text/plain", b'{"name": "x"}'),
    "xml": ("application/xml", b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'),
    "yaml": ("application/yaml", b"name: !!python/object/apply:os.system [id]"),
    "no type": ("", b'{"name": "x"}'),
}
