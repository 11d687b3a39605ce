"""What the people and organizations of the world are told: a webhook with a delivery each, and a notification."""

from portal.accounts.models import User
from portal.core.vault import seal
from portal.notify.models import Delivery, Happening, Notification, Webhook
from portal.projects.models import Project

SECRET_OF_WEBHOOK = "whsec_Y2FuYXJ5LW9mLWEtd2ViaG9vay0wMTIzNDU2Nzg5YWI="  # a canary


def told(project: Project, person: User) -> None:
    """Make a webhook of the project's organization that has told of something, and tell somebody of a role."""
    organization = project.organization
    hook = Webhook.objects.create(
        organization_id=organization.id,
        url=f"https://hooks.{organization.slug}.example/in",
        description=f"hook-of-{organization.slug}",
        secret=seal(SECRET_OF_WEBHOOK),
        retired=seal(SECRET_OF_WEBHOOK),
    )
    happening = Happening.objects.create(
        type="service.created", organization_id=organization.id, project_id=project.id, data={"name": "box"}
    )
    Delivery.objects.create(webhook=hook, happening=happening, state="delivered", attempts=1)
    params = {"role": "admin", "organization": organization.name}
    Notification.objects.create(person_id=person.id, kind="role.changed", params=params)


def of_told(project: Project, person: User) -> dict[str, str]:
    """Return the ids that ``told`` made."""
    hook = Webhook.objects.get(organization_id=project.organization_id)
    return {
        "webhook": hook.public_id,
        "delivery": Delivery.objects.get(webhook=hook).public_id,
        "notification": Notification.objects.get(person_id=person.id).public_id,
    }
