"""Measuring all instances every 15 seconds, off the loop, and asking engines for their own numbers."""

import asyncio
import json
import logging

from portal.clusters.backends.local import files
from portal.clusters.backends.local.supervisor import commands, logs, samples
from portal.clusters.backends.local.supervisor.host import Host
from portal.clusters.backends.local.supervisor.instance import Instance

log = logging.getLogger(__name__)
AT_ONCE = 2  # engines asked at the same time: numbers can wait, orders can't


async def sample_forever(host: Host, instances: dict[str, Instance]) -> None:
    """Sample until cancelled; the first samples come soon, so that a new service shows numbers."""
    await asyncio.sleep(2)
    while True:
        try:
            await sample(dict(instances))
        except Exception:
            log.exception("sampling failed")
        await asyncio.sleep(samples.EVERY)


async def sample(instances: dict[str, Instance]) -> None:
    """Take one sample of each instance and note it for readers."""
    roots = {handle: instance.roots for handle, instance in instances.items()}
    homes = {handle: instance.home.path for handle, instance in instances.items()}
    measured = await asyncio.to_thread(samples.measure, roots, homes)
    few = asyncio.Semaphore(AT_ONCE)
    told = await asyncio.gather(*(_ask_in_turn(instance, few) for instance in instances.values()))
    for (handle, instance), more in zip(instances.items(), told, strict=True):
        values = measured[handle]
        if "ticks" in values:
            cores = instance.ring.cores(roots[handle], int(values.pop("ticks")))
            values["cpu_percent"] = 100 * cores / _granted(instance)
        instance.ring.add({**values, **more})
        if instance.home.exists():
            files.write_json(instance.home.sample_file, dict(instance.ring.latest()), durable=False)
            instance.status.measured(int(values.get("disk_bytes", 0)), _room(instance))
            for path in instance.logs:
                await asyncio.to_thread(logs.rotate, path)


def _room(instance: Instance) -> int:
    """Return the bytes of disk that the plan gives; 0 for a unit without a limit."""
    return (instance.unit.limits.disk_gib if instance.unit else 0) << 30


def _granted(instance: Instance) -> float:
    """Return the cores that the plan gives; a unit without a limit is measured against one."""
    return (instance.unit.limits.cpu if instance.unit else 0) or 1.0


async def _ask_in_turn(instance: Instance, few: asyncio.Semaphore) -> dict[str, float]:
    async with few:
        return await ask_engine(instance)


async def ask_engine(instance: Instance) -> dict[str, float]:
    """Run the unit's sampler; what is no number is left out."""
    sampler = instance.unit.sampler if instance.unit else None
    if sampler is None or instance.place is None or not instance.status.record.seen.ready:
        return {}
    try:
        outcome = await commands.run(instance.place, sampler.argv, stdin=sampler.stdin, env=sampler.env, timeout=5)
        values = json.loads(outcome.stdout) if outcome.succeeded else {}
    except Exception as error:  # a sampler may print anything, and its failure is no failure of the service
        log.debug("%s: no sample: %s", instance.home.handle, error)
        return {}
    return {str(name): float(value) for name, value in values.items() if isinstance(value, int | float)}
