"""Reserved ports in the portal's database."""

from collections.abc import Mapping

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from portal.clusters.models import Cluster, PortReservation


class TablePortStore:
    """The reservations of one cluster; the table's constraints decide between two who want the same."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def of(self, handle: str) -> Mapping[str, int]:
        return dict(self._rows.filter(handle=handle).values_list("name", "port"))

    def taken(self) -> set[int]:
        return set(self._rows.values_list("port", flat=True))

    def add(self, handle: str, name: str, port: int) -> bool:
        try:
            with transaction.atomic():
                self._rows.create(cluster=self._cluster, handle=handle, name=name, port=port)
        except IntegrityError:
            return False
        return True

    def release(self, handle: str) -> None:
        self._rows.filter(handle=handle).delete()

    @property
    def _rows(self) -> QuerySet[PortReservation]:
        return PortReservation.objects.filter(cluster=self._cluster)
