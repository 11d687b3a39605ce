"""A running portal after sign-in, order, reveal, backup and links: no secret in its logs, its tables or its broker."""

import http.cookiejar
import os
import re
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.engines import ENGINES
from tests.journeys.instance import Api, Instance, eventually

pytestmark = pytest.mark.engine
CELLS = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()")
    for (table,) in cursor.fetchall():
        cursor.execute(f'SELECT cell.key, cell.value FROM "{table}" AS row, jsonb_each_text(to_jsonb(row)) AS cell')
        for column, value in cursor.fetchall():
            print(f"{table}.{column}", repr(value))
from portal.celery import app
client = app.connection_for_read().default_channel.client
read = {"string": client.get, "hash": client.hgetall, "set": client.smembers}
read |= {"list": lambda key: client.lrange(key, 0, -1), "zset": lambda key: client.zrange(key, 0, -1)}
for key in client.scan_iter():
    kind = client.type(key).decode()
    print("broker", repr(key), repr(read[kind](key)) if kind in read else "")  # none: ended meanwhile
"""
# Where a session's key is kept: the session itself, and the list of sessions that ends it.
SESSION = re.compile(r"(django_session|usersessions_usersession)\.session_key|^broker .*sessions")


def signed_in(instance: Instance) -> tuple[urllib.request.OpenerDirector, str, str]:
    """Sign in by a link as a browser does; return the browser, the link's key and the session's."""
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    link = instance.signin()
    page = browser.open(link).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    browser.open(link, f"csrfmiddlewaretoken={token[1]}".encode())
    return browser, link.rpartition("/")[2], next(cookie.value or "" for cookie in jar if cookie.name == "sessionid")


def written(instance: Instance) -> str:
    """Return all that the portal's processes wrote to their logs."""
    logs = [instance.log, *(instance.data / "log").rglob("*")]
    return "\n".join(path.read_text(errors="replace") for path in logs if path.is_file())


@pytest.mark.parametrize("slug", [engine.slug for engine in ENGINES])
def test_no_secret_is_in_logs_tables_or_broker(slug: str, instance: Instance, api: Api) -> None:
    browser, link, session = signed_in(instance)
    body = {"name": f"secrets-{uuid.uuid4().hex[:6]}", "offering": slug, "plan": "free"}
    operation = api.ok("POST", "/api/v1/projects/demo/services", body, Idempotency_Key=str(uuid.uuid4()))
    address = f"/api/v1/services/{api.finished(operation)['service']}"
    credential = api.ok("GET", f"{address}/credentials")["items"][0]["id"]
    secret = api.ok("POST", f"{address}/credentials/{credential}/reveal", Idempotency_Key=str(uuid.uuid4()))
    api.finished(api.ok("POST", f"{address}/backups", {}))
    backup = api.ok("GET", f"{address}/backups")["items"][0]["id"]
    download = str(api.ok("POST", f"{address}/backups/{backup}/link")["url"])
    logged = written(instance).count("/download/")
    assert browser.open(download).status == 200
    for wrong in (f"/api/v1/me?access_token={api.token}", f"{address}?token={api.token}"):
        api.call("GET", wrong)  # a client's mistake
    canaries = {
        "password": secret["password"],
        "sign-in link": link,
        "session": session,
        "download link": download.rpartition("/")[2],
        "API token": api.token,
        "SECRET_KEY": (instance.data / "keys" / "secret_key").read_text().strip(),
        **_private_keys(instance.data),
    }
    assert all(len(canary) > 15 for canary in canaries.values())
    eventually(lambda: written(instance).count("/download/") > logged, what="the download is in the access log")
    logs, cells = written(instance), instance.manage("shell", "-c", CELLS).splitlines()
    assert len(cells) > 100
    assert [name for name, canary in canaries.items() if canary in logs] == []
    leaks = [(name, cell.split(" ")[0]) for name, canary in canaries.items() for cell in cells if canary in cell]
    assert [leak for leak in leaks if leak[0] != "session"] == []
    assert [cell[:60] for cell in cells if session in cell and not SESSION.search(cell)] == []
    _planted(instance, secret, cells)
    api.finished(api.ok("DELETE", f"{address}?deletion_policy=wipe"))


def _private_keys(data: Path) -> dict[str, str]:
    """Return a line out of the middle of each private key that lies open in the data directory."""
    found = {}
    walked = os.walk(data)  # which passes over folders that go meanwhile
    for path in (Path(at, name) for at, _folders, files in walked for name in files if name.endswith(".key")):
        lines = path.read_text(errors="replace").splitlines()
        if lines and "PRIVATE KEY" in lines[0]:
            found[str(path)] = lines[len(lines) // 2]
    return found


def _planted(instance: Instance, secret: dict[str, Any], cells: list[str]) -> None:
    """See that the search finds what is there: the service's own user name, and a line put into a log."""
    assert any(secret["username"] in cell for cell in cells)
    log = instance.data / "log" / "web.log"
    before = log.read_text(errors="replace")
    assert secret["password"] not in before
    with log.open("a") as file:
        file.write(f"planted {secret['password']}\n")
    assert secret["password"] in written(instance)
    log.write_text(before)
