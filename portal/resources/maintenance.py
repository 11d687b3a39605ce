"""The weekly window in which the platform moves a service to a newer release of its line, times in UTC."""

import datetime
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.core.errors import FieldError

DAYS: dict[str, Promise] = {
    "monday": gettext_lazy("Monday"),
    "tuesday": gettext_lazy("Tuesday"),
    "wednesday": gettext_lazy("Wednesday"),
    "thursday": gettext_lazy("Thursday"),
    "friday": gettext_lazy("Friday"),
    "saturday": gettext_lazy("Saturday"),
    "sunday": gettext_lazy("Sunday"),
}
LENGTH = datetime.timedelta(hours=2)
WEEK = datetime.timedelta(days=7)
_TIME = re.compile(r"\d\d:\d\d(:\d\d)?", re.ASCII)
_NIGHT_BEGINS, _MINUTES_APART, _STARTS = 22 * 60, 15, 17  # 22:00 to 02:00, so that the last one ends at 04:00


@dataclass(frozen=True, slots=True)
class Window:
    """Two hours of each week. ``start`` has no zone and means UTC."""

    day: str
    start: datetime.time

    def last(self, now: datetime.datetime) -> datetime.datetime:
        """Return when the newest window up to now began, whether it is over or not."""
        now = now.astimezone(datetime.UTC)
        days = (now.weekday() - list(DAYS).index(self.day)) % 7
        began = datetime.datetime.combine(now.date() - datetime.timedelta(days), self.start, datetime.UTC)
        return began if began <= now else began - WEEK

    def open_since(self, now: datetime.datetime) -> datetime.datetime | None:
        """Return when the window began that is open now; None where none is."""
        began = self.last(now)
        return began if now < began + LENGTH else None

    def words(self) -> str:
        """Return the window as people read it."""
        end = (datetime.datetime.combine(datetime.date.min, self.start) + LENGTH).time()
        words = {"day": DAYS[self.day], "start": f"{self.start:%H:%M}", "end": f"{end:%H:%M}"}
        return _("%(day)s %(start)s–%(end)s UTC") % words

    def as_json(self) -> dict[str, str]:
        return {"day": self.day, "start_utc": f"{self.start:%H:%M:%S}"}


def load(stored: Mapping[str, str]) -> Window:
    """Return a window from how it is stored."""
    return Window(stored["day"], datetime.time.fromisoformat(stored["start_utc"]))


def usual() -> dict[str, str]:
    """Return the window of a row that nobody chose one for."""
    return {"day": "sunday", "start_utc": "02:00:00"}


def of_order(resource_id: uuid.UUID) -> dict[str, str]:
    """Spread services over the nights of the week by their id, so that a new release never reaches all at once."""
    days, starts = divmod(resource_id.int % (len(DAYS) * _STARTS), _STARTS)
    minute = (_NIGHT_BEGINS + starts * _MINUTES_APART) % (24 * 60)
    return Window(list(DAYS)[days], datetime.time(minute // 60, minute % 60)).as_json()


def checked(before: Mapping[str, str], asked: Mapping[str, Any]) -> tuple[dict[str, str], list[FieldError]]:
    """Return the window that is asked for, what is left out as it was, and what is wrong with it."""
    wanted, errors = {**before, **asked}, []
    if wanted["day"] not in DAYS:
        known = _("Choose one of: %(known)s.") % {"known": ", ".join(DAYS)}
        errors.append(FieldError("/maintenance/day", "invalid_choice", known))
    start = _time(wanted["start_utc"])
    if start is None:
        detail = _("Write a time of day in UTC without zone or fractions, such as 02:00:00.")
        errors.append(FieldError("/maintenance/start_utc", "invalid_time", detail))
    return (dict(before), errors) if errors or start is None else (Window(wanted["day"], start).as_json(), [])


def _time(text: Any) -> datetime.time | None:
    if not _TIME.fullmatch(str(text)):
        return None
    try:
        return datetime.time.fromisoformat(str(text))
    except ValueError:
        return None
