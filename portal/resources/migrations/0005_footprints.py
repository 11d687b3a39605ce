"""Services know what they take of limits, so that one sum over columns counts them."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Q

from portal.core import registry
from portal.core.offerings import Footprint

BATCH = 1000


def fill(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Fill in what the declarations of today say; one that left the code says nothing, and counts as nothing."""
    model = apps.get_model("resources", "Resource")
    measured = []
    for row in model.objects.filter(purged_at=None).iterator(BATCH):
        if found := _footprint(row.offering_slug, row.plan_slug, row.spec, row.spec_version):
            row.vcpu, row.memory_mib, row.storage_gib = found.vcpu, found.memory_mib, found.storage_gib
            measured.append(row)
    model.objects.bulk_update(measured, ["vcpu", "memory_mib", "storage_gib"], batch_size=BATCH)


def _footprint(offering_slug: str, plan_slug: str, spec: dict[str, object], spec_version: int) -> Footprint | None:
    offering = registry.offering(offering_slug)
    plan = offering.plan(plan_slug) if offering else None
    if offering is None or plan is None:
        return None
    return offering.footprint(plan, offering.load_spec(spec, spec_version))


class Migration(migrations.Migration):
    atomic = False  # rows are filled before the index is made, which one transaction can't do

    dependencies = [("resources", "0004_events_of_project")]

    operations = [
        migrations.AddField(
            "resource", "vcpu", models.DecimalField(decimal_places=3, default=0, max_digits=12)
        ),
        migrations.AddField("resource", "memory_mib", models.PositiveBigIntegerField(default=0)),
        migrations.AddField("resource", "storage_gib", models.PositiveBigIntegerField(default=0)),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AddIndex(
            "resource",
            models.Index(
                condition=Q(("deletion_requested_at__isnull", True), ("purged_at__isnull", True)),
                fields=["project"],
                include=("offering_slug", "vcpu", "memory_mib", "storage_gib"),
                name="counted",
            ),
        ),
    ]
