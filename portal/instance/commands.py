"""What each process of the portal is started with, by ``up`` and by ``manage.py web|worker|beat`` alike."""

import os
import sys
from pathlib import Path

from portal.bootstrap.paths import data_directory

ROOT = Path(__file__).resolve().parents[2]


def web(port: int | None = None) -> list[str]:
    """Return gunicorn's command. WEB_BIND, WEB_WORKERS and WEB_THREADS say what differs."""
    place = f"127.0.0.1:{port or os.environ.get('ARCHIPEL_PORT', '8000')}"
    return [
        *(sys.executable, "-m", "gunicorn", "portal.wsgi:application", "--chdir", str(ROOT)),
        *("--bind", place if port else os.environ.get("WEB_BIND", place)),
        *("--worker-class", "gthread"),
        *("--workers", os.environ.get("WEB_WORKERS", "2")),
        *("--threads", os.environ.get("WEB_THREADS", "16")),
        *("--timeout", "60", "--graceful-timeout", "5", "--keep-alive", "15"),
        *("--worker-tmp-dir", "/dev/shm"),  # noqa: S108 - its heartbeat file must not wait for a disk
        *("--access-logfile", "-", "--logger-class", "portal.instance.access_log.AccessLog", "--no-control-socket"),
    ]


def worker() -> list[str]:
    """Return the Celery worker's command. WORKER_PROCESSES and WORKER_QUEUES say what differs."""
    queues = os.environ.get("WORKER_QUEUES")
    return [
        *_celery("worker"),
        *("--concurrency", os.environ.get("WORKER_PROCESSES", "3")),
        *("--without-gossip", "--without-mingle", "--hostname", "worker@%h"),
        *(("--queues", queues) if queues else ()),
    ]


def beat() -> list[str]:
    """Return the scheduler's command. BEAT_SCHEDULE names the file where it keeps what ran when."""
    schedule = os.environ.get("BEAT_SCHEDULE", str(data_directory(ROOT) / "run" / "beat-schedule"))
    scheduler = "portal.instance.schedule.SteadyScheduler"
    return [*_celery("beat"), "--scheduler", scheduler, "--schedule", schedule, "--pidfile="]


def manage(*arguments: str) -> list[str]:
    """Return a command of manage.py."""
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


def watch() -> list[str]:
    """Return the command of what watches Kubernetes clusters, once there are some."""
    return [sys.executable, "-m", "portal.instance.watch"]


def guardian() -> list[str]:
    """Return the guardian's command."""
    return [sys.executable, "-m", "portal.instance.guardian", str(data_directory(ROOT))]


def _celery(command: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "celery",
        "--workdir",
        str(ROOT),
        "-A",
        "portal.celery",
        command,
        "--loglevel",
        "INFO",
    ]
