"""SQL for psql, with encoders for every name: what a customer called a thing never becomes a command.

Scripts are read from standard input with ON_ERROR_STOP and may run again: each brings about a state. They run as the
superuser, inside databases whose owners may have laid traps, hence ``SESSION``: pinned search path and quoting rules,
no role and no limits of the database's own, and nothing that could put a password into a log or a statistics view.
"""
# ruff: noqa: S608 - scripts are put together here and nowhere else, from encoded names

from collections.abc import Iterable

from apps.databases.offerings.postgresql.plans import TOOLS
from apps.databases.offerings.postgresql.spec import TRUSTED_EXTENSIONS, DatabaseSpec, UserSpec
from portal.core.drivers import literal

OWNER, WRITER, READER = "owner", "writer", "reader"
GROUPS = {"owner": OWNER, "write": WRITER, "read": READER}
BOOTSTRAP = 1  # raise it when ``bootstrap`` changes: it then runs once more in every service
LONGEST_NAME = 63  # bytes; PostgreSQL cuts the rest off

PSQL = (
    f"{{{{package:{TOOLS}}}}}/bin/psql",
    "-XqAt",
    *("-v", "ON_ERROR_STOP=1"),
    *("-h", "{{run}}", "-p", "{{port:main}}", "-U", "postgres", "-d", "postgres"),
)
SESSION = (
    "search_path=pg_catalog,pg_temp",
    "standard_conforming_strings=on",
    "role=none",
    "default_transaction_read_only=off",
    "default_transaction_isolation=read\\ committed",
    "statement_timeout=0",
    "lock_timeout=30s",
    "log_statement=none",
    "log_min_duration_statement=-1",
    "log_min_error_statement=panic",
    "track_activities=off",
    "pg_stat_statements.track=none",
)
ENV = {
    "PGPASSWORD": "{{secret:superuser.password}}",
    "PGOPTIONS": " ".join(f"-c {item}" for item in SESSION),
    "PGCLIENTENCODING": "UTF8",
    "PGCONNECT_TIMEOUT": "5",
    "PGAPPNAME": "platform",
}


# ---- encoders --------------------------------------------------------------------------------------------------------


def identifier(name: str) -> str:
    """Return a name as a quoted identifier. Raises ValueError for one that is empty, too long or holds NUL."""
    return literal('"' + _checked(name).replace('"', '""') + '"')


def string(text: str) -> str:
    """Return a text as a string constant (standard_conforming_strings is on). Raises ValueError for NUL."""
    if "\0" in text:
        raise ValueError("a text may not hold NUL")
    return literal("'" + text.replace("'", "''") + "'")


def name_constant(name: str) -> str:
    """Return a name as a string constant. Raises ValueError as ``identifier`` does."""
    return string(_checked(name))


def connect(database: str) -> str:
    r"""Return the psql command that goes on in another database.

    As a connection string, since ``\connect`` takes any name with ``=`` in it for one. Raises ValueError for a line
    break, which would end the command.
    """
    if any(character in database for character in "\n\r"):
        raise ValueError("the name of a database may not hold a line break")
    value = _checked(database).replace("\\", "\\\\").replace("'", "\\'")
    argument = f"dbname='{value}'".replace('"', '""')
    return literal(f'\\connect -reuse-previous=on "{argument}"\n')


def _checked(name: str) -> str:
    if not name or "\0" in name:
        raise ValueError("a name may not be empty or hold NUL")
    if len(name.encode()) > LONGEST_NAME:
        raise ValueError(f"a name may not be longer than {LONGEST_NAME} bytes")
    return name


# ---- the service -----------------------------------------------------------------------------------------------------


def bootstrap_key(data: str) -> str:
    """Name the run that every data directory needs once."""
    return f"bootstrap:{BOOTSTRAP}:{data}"


def bootstrap(users: Iterable[str]) -> str:
    """Return what every service needs once for each data directory: groups, and closed doors.

    Logins other than ``users`` (a restored backup may bring some) are locked.
    """
    known = ", ".join(name_constant(name) for name in ("postgres", *users))
    groups = "".join(_ensure_role(group) for group in GROUPS.values())
    return (
        f"{groups}"
        f"SELECT format('ALTER ROLE %I NOLOGIN', rolname) FROM pg_roles\n"
        f"  WHERE rolcanlogin AND rolname NOT IN ({known}) \\gexec\n"
        "REVOKE ALL ON DATABASE postgres FROM PUBLIC;\n"
        "REVOKE ALL ON DATABASE template1 FROM PUBLIC;\n"
        f"GRANT pg_read_all_data TO {READER};\n"
        f"GRANT pg_read_all_data, pg_write_all_data TO {WRITER};\n"
        f"GRANT pg_read_all_stats, pg_signal_backend TO {OWNER};\n"
        "SELECT current_setting('server_version_num')::int < 150000 AS is_old \\gset\n"
        "\\if :is_old\n"
        f"{connect('template1')}"
        "ALTER SCHEMA public OWNER TO pg_database_owner;\n"
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC;\n"
        f"{connect('postgres')}"
        "\\endif\n"
    )


def first_things(database: str, line: int) -> dict[str, str]:
    """Return, for single-user mode (one command a line), what every new service begins with, by database.

    ``bootstrap`` and ``ensure_database`` find it there; made beforehand, it keeps nobody waiting.
    """
    groups = "".join(f"CREATE ROLE {group} NOLOGIN\n" for group in GROUPS.values())
    copy = " STRATEGY file_copy" if line >= 15 else ""  # the only way before 15; the other writes all into the log
    made = f"{groups}CREATE DATABASE {identifier(database)} OWNER {OWNER}{copy}\n"
    if line >= 15:
        return {"postgres": made}
    closed = "ALTER SCHEMA public OWNER TO pg_database_owner\nREVOKE CREATE ON SCHEMA public FROM PUBLIC\n"
    return {"template1": closed, "postgres": made}


def own_superuser() -> str:
    """Return, for single-user mode, what gives the superuser this service's password."""
    return "ALTER ROLE postgres PASSWORD '{{secret:superuser.password}}'\n"


def lock_logins() -> str:
    """Return, for single-user mode (one command a line), what makes a restored backup ours alone.

    Until each user's own run gives it the new service's password, nobody gets in with one from the backup.
    """
    return (
        f"{own_superuser()}"
        "DO $$DECLARE r name; BEGIN FOR r IN SELECT rolname FROM pg_catalog.pg_roles WHERE rolcanlogin AND oid <> 10 "
        "LOOP EXECUTE pg_catalog.format('ALTER ROLE %I NOLOGIN PASSWORD NULL', r); END LOOP; END$$\n"
    )


def _ensure_role(name: str) -> str:
    absent = f"WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {name_constant(name)})"
    return f"SELECT format('CREATE ROLE %I NOLOGIN', {name_constant(name)}) {absent} \\gexec\n"


# ---- users -----------------------------------------------------------------------------------------------------------


def ensure_user(name: str, spec: UserSpec, password: str) -> str:
    """Return what makes a login as asked. ``password`` is a placeholder; its value is letters and digits."""
    role, group = identifier(name), GROUPS[spec.access]
    limit = -1 if spec.connection_limit is None else spec.connection_limit
    others = ", ".join(name_constant(other) for other in sorted(set(GROUPS.values()) - {group}))
    acting = f"SET role = {string(OWNER)}" if group == OWNER else "RESET role"
    return (
        f"{_ensure_role(name)}"
        "BEGIN;\n"
        "SELECT format('REVOKE %I FROM %I', g.rolname, m.rolname) FROM pg_auth_members\n"
        "  JOIN pg_roles g ON g.oid = roleid JOIN pg_roles m ON m.oid = member\n"
        f"  WHERE m.rolname = {name_constant(name)} AND g.rolname IN ({others}) \\gexec\n"
        f"GRANT {group} TO {role};\n"
        f"ALTER ROLE {role} LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS\n"
        f"  CONNECTION LIMIT {limit} VALID UNTIL 'infinity' PASSWORD '{password}';\n"
        f"ALTER ROLE {role} {acting};\n"
        "COMMIT;\n"
    )


def drop_user(name: str, databases: Iterable[str]) -> str:
    """Return what takes a login away; what it owns in any of the databases passes to the owners' group."""
    role, constant = identifier(name), name_constant(name)
    handover = f"REASSIGN OWNED BY {role} TO {OWNER};\nDROP OWNED BY {role};\n"
    return (
        f"SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = {constant}) AS is_there \\gset\n"
        "\\if :is_there\n"
        f"ALTER ROLE {role} NOLOGIN;\n"
        f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = {constant};\n"
        f"{''.join(_inside(database, handover) for database in databases)}"
        f"{connect('postgres')}"
        f"{handover}"
        f"DROP ROLE {role};\n"
        "\\endif\n"
    )


def _inside(database: str, script: str) -> str:
    exists = f"SELECT FROM pg_database WHERE datname = {name_constant(database)} AND datallowconn"
    return f"SELECT EXISTS ({exists}) AS is_open \\gset\n\\if :is_open\n{connect(database)}{script}\\endif\n"


# ---- databases -------------------------------------------------------------------------------------------------------


def ensure_database(name: str, spec: DatabaseSpec) -> str:
    """Return what makes a database as asked: owned by the owners' group, closed to everybody without access."""
    database, constant = identifier(name), name_constant(name)
    absent = f"WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = {constant})"
    script = (
        f"SELECT format('CREATE DATABASE %I OWNER {OWNER}', {constant}) {absent} \\gexec\n"
        f"ALTER DATABASE {database} OWNER TO {OWNER};\n"
        f"ALTER DATABASE {database} ALLOW_CONNECTIONS true;\n"
        f"REVOKE ALL ON DATABASE {database} FROM PUBLIC;\n"
        f"GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {READER}, {WRITER};\n"
    )
    if not spec.extensions:
        return script
    return script + connect(name) + "".join(_ensure_extension(extension) for extension in sorted(spec.extensions))


def _ensure_extension(name: str) -> str:
    """Return what makes an extension, with no more rights than it needs."""
    role = OWNER if name in TRUSTED_EXTENSIONS else "NONE"
    return f"SET ROLE {role};\nCREATE EXTENSION IF NOT EXISTS {identifier(name)} SCHEMA public;\nRESET ROLE;\n"


def drop_database(name: str) -> str:
    """Return what takes a database away, connections and all."""
    database = identifier(name)
    there = f"WHERE EXISTS (SELECT FROM pg_database WHERE datname = {name_constant(name)} AND datistemplate)"
    return (
        f"SELECT format('ALTER DATABASE %I IS_TEMPLATE false', {name_constant(name)}) {there} \\gexec\n"
        f"DROP DATABASE IF EXISTS {database} WITH (FORCE);\n"
    )
