"""The log is append-only for every ordinary session: rows are added, sealed once, and lose a personal value with its salt."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
    sealing CONSTANT text[] := ARRAY['position', 'previous', 'digest', 'salts', 'commitments'];
    before CONSTANT jsonb := CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(OLD) END;
    after CONSTANT jsonb := CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(NEW) END;
    erased text[];
BEGIN
    IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'audit_auditevent' THEN
        IF OLD.position IS NULL AND OLD.digest IS NULL AND after - sealing = before - sealing THEN
            RETURN NEW;
        END IF;
        erased := ARRAY(SELECT jsonb_object_keys(OLD.salts) EXCEPT SELECT jsonb_object_keys(NEW.salts));
        IF NEW.salts = OLD.salts - erased AND after - erased - 'salts'::text = before - erased - 'salts'::text
            AND NOT EXISTS (SELECT FROM unnest(erased) AS name WHERE after ->> name NOT IN ('', '{}'))
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege',
        HINT = 'Its owner alone can lift this: ALTER TABLE ' || TG_TABLE_NAME || ' DISABLE TRIGGER USER';
END
$body$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit_auditevent
    FOR EACH ROW EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_born_unsealed BEFORE INSERT ON audit_auditevent
    FOR EACH ROW WHEN (NEW.position IS NOT NULL OR NEW.digest IS NOT NULL) EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_heads_stay BEFORE DELETE ON audit_head
    FOR EACH ROW EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_heads_go_on BEFORE UPDATE ON audit_head
    FOR EACH ROW WHEN (OLD.day IS NOT NULL OR NEW.day IS NOT NULL OR NEW.position <= OLD.position
                       OR NEW.organization_id IS DISTINCT FROM OLD.organization_id)
    EXECUTE FUNCTION audit_append_only();
"""
BACKWARDS = """
DROP TRIGGER audit_heads_go_on ON audit_head;
DROP TRIGGER audit_heads_stay ON audit_head;
DROP TRIGGER audit_born_unsealed ON audit_auditevent;
DROP TRIGGER audit_append_only ON audit_auditevent;
DROP FUNCTION audit_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_sealing")]
    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
