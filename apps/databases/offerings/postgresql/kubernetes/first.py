"""What a new PostgreSQL on Kubernetes begins with: the owners' group, and what hands all that is made over to it.

The operator can't have a login act as the group that it is in, as a local service does. So whatever a login with owner
access makes passes to the group at the end of the command: a login that is exchanged or taken away leaves nothing that
the others could not reach.
"""

from typing import Any

from apps.databases.offerings.postgresql.children import MAIN_DATABASE
from apps.databases.offerings.postgresql.plans import line_of
from apps.databases.offerings.postgresql.sql import OWNER

TAGS = {
    "CREATE TABLE": "table",
    "CREATE TABLE AS": "table",
    "SELECT INTO": "table",
    "CREATE FOREIGN TABLE": "foreign table",
    "CREATE VIEW": "view",
    "CREATE MATERIALIZED VIEW": "materialized view",
    "CREATE SEQUENCE": "sequence",
    "CREATE SCHEMA": "schema",
    "CREATE FUNCTION": "function",
    "CREATE PROCEDURE": "procedure",
    "CREATE AGGREGATE": "aggregate",
    "CREATE TYPE": "type",
    "CREATE DOMAIN": "type",
    "CREATE COLLATION": "collation",
    "CREATE TEXT SEARCH CONFIGURATION": "text search configuration",
    "CREATE TEXT SEARCH DICTIONARY": "text search dictionary",
}
_TYPES = ", ".join(f"'{name}'" for name in sorted(set(TAGS.values())))
_WHEN = ", ".join(f"'{tag}'" for tag in TAGS)

# A sequence that belongs to a column goes with its table, and can't go by itself.
_HAND_OVER = f"""\
CREATE FUNCTION platform.hand_over() RETURNS event_trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  made record;
BEGIN
  IF current_user = '{OWNER}' OR NOT pg_has_role(current_user, '{OWNER}', 'MEMBER')
     OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    RETURN;
  END IF;
  FOR made IN
    SELECT object_type, object_identity FROM pg_event_trigger_ddl_commands() AS command
    WHERE NOT in_extension AND object_type IN ({_TYPES}) AND coalesce(schema_name, '') NOT LIKE 'pg_temp%'
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = command.classid AND pg_depend.objid = command.objid
                      AND object_type = 'sequence' AND deptype IN ('a', 'i') AND refobjsubid > 0)
  LOOP
    EXECUTE format('ALTER %s %s OWNER TO {OWNER}', made.object_type, made.object_identity);
  END LOOP;
END
$$
"""  # noqa: S608 - of constants alone

TEMPLATE_SQL = (
    "CREATE SCHEMA platform",
    "GRANT USAGE ON SCHEMA platform TO PUBLIC",
    _HAND_OVER,
    f"CREATE EVENT TRIGGER hand_over ON ddl_command_end WHEN TAG IN ({_WHEN}) EXECUTE FUNCTION platform.hand_over()",
)
_CLOSED_SCHEMA = ("ALTER SCHEMA public OWNER TO pg_database_owner", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")


def initdb(release: str) -> dict[str, Any]:
    """Return ``bootstrap.initdb``: the main database, owned by the owners' group, with the collation of local services.

    The operator has the group log in with a password that nobody is told.
    """
    closed = _CLOSED_SCHEMA if line_of(release) < 15 else ()  # as it is from 15 on
    return {
        "database": MAIN_DATABASE,
        "owner": OWNER,
        "dataChecksums": True,
        "encoding": "UTF8",
        **_locale(line_of(release)),
        "postInitTemplateSQL": [*closed, *TEMPLATE_SQL],
    }


def _locale(line: int) -> dict[str, str]:
    """From 17 on the collation is PostgreSQL's own: a new C library never changes the order of an index."""
    if line >= 17:
        return {"localeProvider": "builtin", "builtinLocale": "C.UTF-8"}
    return {"localeCollate": "C.UTF-8", "localeCType": "C.UTF-8"}
