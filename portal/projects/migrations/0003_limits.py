"""The limit of a project's services moves into its quotas; only what differs from the default needs a row."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import OuterRef, Subquery, Value
from django.db.models.functions import Coalesce

DEFAULT = 200


def move(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    project, quota = apps.get_model("projects", "Project"), apps.get_model("projects", "Quota")
    rows = project.objects.exclude(max_services=DEFAULT).exclude(quotas__resource="services")
    quota.objects.bulk_create(
        quota(organization_id=row.organization_id, project_id=row.pk, resource="services", limit=row.max_services)
        for row in rows
    )
    editor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # or the table can't be altered in this transaction


def move_back(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    project, quota = apps.get_model("projects", "Project"), apps.get_model("projects", "Quota")
    limit = quota.objects.filter(project=OuterRef("pk"), resource="services").values("limit")
    project.objects.update(max_services=Coalesce(Subquery(limit), Value(DEFAULT)))


class Migration(migrations.Migration):
    dependencies = [("projects", "0002_people_and_quotas")]

    operations = [
        migrations.RunPython(move, move_back),
        migrations.RemoveField("project", "max_services"),
    ]
