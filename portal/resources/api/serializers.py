"""Bodies that the endpoints of services take. What a spec may hold is checked by the offering's own schema."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.core.api.serializers import Flag, SpecTable, Strict, Table, Text, Word
from portal.resources.actions.checking import NAME as SERVICE_NAME
from portal.resources.actions.many import AT_MOST


@extend_schema_field({"type": "string", "pattern": f"^{SERVICE_NAME.pattern}$", "maxLength": 63})
class ServiceName(Word):
    """The name of a service; what is wrong with one is said by the action."""


class NetworkBody(Strict):
    """A network that may reach the service."""

    cidr = Word(max_length=64, help_text="Such as `203.0.113.0/24` or `2001:db8::/32`; a single address as it is.")
    description = Text(max_length=200, required=False)


class NetworkList(serializers.ListField):
    """The networks that may reach a service; an empty list means from anywhere. How many is checked by the action."""

    def __init__(self, **options: Any) -> None:
        super().__init__(child=NetworkBody(), max_length=1000, **options)


class OrderBody(Strict):
    """An order; all but name and offering have defaults."""

    name = ServiceName(help_text="Unique among the living services of the project.")
    offering = Word(max_length=63)
    version = Word(max_length=32, required=False, help_text="A line (17) or an exact release (17.10).")
    plan = Word(max_length=63, required=False, help_text="The smallest paid plan where none is given.")
    region = Word(max_length=63, required=False)
    description = Text(max_length=500, required=False)
    spec = SpecTable(required=False, help_text="See `spec_schema` of the offering.")
    tags = serializers.DictField(child=Text(max_length=63), required=False)
    quote = Word(max_length=40, required=False, help_text="Id of a quote for the same content.")
    acknowledge = serializers.ListField(child=Text(max_length=40), max_length=10, required=False)
    protected = Flag(required=False)
    ip_allow_list = NetworkList(required=False, help_text="Networks that may reach it; none: from anywhere.")


class QuoteBody(Strict):
    """Either what an order says (with its project), or a service and the change to it."""

    service = Word(max_length=40, required=False)
    change = Table(required=False, help_text="One or more of `plan`, `spec`, `running`.")
    project = Word(max_length=63, required=False, help_text="Not needed by who has one project only.")
    name = ServiceName(required=False)
    offering = Word(max_length=63, required=False)
    version = Word(max_length=32, required=False)
    plan = Word(max_length=63, required=False)
    region = Word(max_length=63, required=False)
    description = Text(max_length=500, required=False)
    spec = SpecTable(required=False)
    tags = serializers.DictField(child=Text(max_length=63), required=False)
    acknowledge = serializers.ListField(child=Text(max_length=40), max_length=10, required=False)
    protected = Flag(required=False)
    ip_allow_list = NetworkList(required=False, help_text="Networks that may reach it; none: from anywhere.")


class MaintenanceBody(Strict):
    """The window of two hours, each week, in which the platform may upgrade the service."""

    day = Word(max_length=9, required=False, help_text="`monday` to `sunday`.")
    start_utc = Word(max_length=8, required=False, help_text="Time of day in UTC, such as `02:00:00`.")


class EditBody(Strict):
    """What may change on a service; what is left out stays. ``spec`` holds only the settings to change."""

    name = ServiceName(required=False)
    description = Text(max_length=500, required=False)
    tags = serializers.DictField(child=Text(max_length=63), required=False, help_text="Replaces all tags.")
    protected = Flag(required=False)
    ip_allow_list = NetworkList(required=False, help_text="Replaces the list; `[]` opens it to anywhere.")
    maintenance = MaintenanceBody(required=False)
    spec = SpecTable(required=False)


class ResizeBody(Strict):
    """The plan to go to."""

    plan = Word(max_length=63)


class UpgradeBody(Strict):
    """The release to go to; one of the service's ``upgrades``."""

    version = Word(max_length=32)


class ForkBody(Strict):
    """The name of the copy."""

    name = ServiceName()


class UndeleteBody(Strict):
    """Another name, where the service's own is taken meanwhile."""

    name = ServiceName(required=False)


class MoveBody(Strict):
    """The project to move to, by slug or id: another one of the same organization."""

    project = Word(max_length=80)


class TargetBody(Strict):
    """The new service that a backup is restored into."""

    name = ServiceName()
    plan = Word(max_length=63, required=False)


class RestoreBody(Strict):
    """A backup or a time, and where to: a new service or the same one."""

    backup = Word(max_length=40, required=False)
    time = Word(max_length=40, required=False, help_text="RFC 3339, where the offering can go to a point in time.")
    target = TargetBody(required=False)
    in_place = Flag(required=False)


class ChildBody(Strict):
    """A new part. Kinds whose parts are named by the platform (backups) take no name."""

    name = Word(max_length=63, required=False)
    spec = Table(required=False)


class WishBody(Strict):
    """A part that is to be there; what its settings don't say stays as it is, or is as by default."""

    name = Word(max_length=63)
    spec = Table(required=False)


class ManyBody(Strict):
    """Parts to make or change, and names of parts to take away."""

    put = serializers.ListField(child=WishBody(), required=False, help_text=f"At most {AT_MOST}.")
    delete = serializers.ListField(child=Word(max_length=63), required=False, help_text=f"At most {AT_MOST} names.")


class ChildEditBody(Strict):
    """The settings of a part to change."""

    spec = Table(required=False)
