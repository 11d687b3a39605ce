"""Beat's way to the audit log: seal what was written, keep the heads as a file."""

from portal.audit import heads, sealing
from portal.celery import app


@app.task(name="portal.audit.tasks.seal", expires=30)
def seal() -> None:
    """Seal what waits. With nothing to do this is one look into an empty index."""
    sealing.seal_all()


@app.task(name="portal.audit.tasks.keep_heads", expires=300)
def keep_heads() -> None:
    """Keep the heads of today as a file in the instance's directory."""
    heads.keep_daily()
