"""Events know their project, so that its newest ones are found without walking those of all tenants."""

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import OuterRef, Subquery


def fill(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    event, resource = apps.get_model("resources", "Event"), apps.get_model("resources", "Resource")
    owner = resource.objects.filter(id=OuterRef("resource_id")).values("project_id")[:1]
    event.objects.filter(project=None).update(project=Subquery(owner))


class Migration(migrations.Migration):
    atomic = False  # rows are filled before the column is closed, which one transaction can't do

    dependencies = [("resources", "0003_lists"), ("projects", "0001_initial")]

    operations = [
        migrations.AddField(
            "event",
            "project",
            models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="projects.project"
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField(
            "event",
            "project",
            models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="projects.project"
            ),
        ),
        migrations.AddIndex("event", models.Index(fields=["project", "-id"], name="events_of_project")),
    ]
