"""A cluster at work on slabs, event by event. In: costs of a slab, a cluster; out: seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_HAND_OUT, _READ, _COMPUTE, _WRITE = range(4)
_NEVER = float("inf")
Limit = Literal["processors", "disk", "one after another"]


@dataclass(frozen=True)
class Costs:
    """What a pass over slabs costs.

    Attributes
    ----------
    slabs : int
        How many there are.
    core_s : float
        Work of one core on a slab.
    serial_fraction : float
        Of that: what several cores of a worker do not share.
    read_bytes, written_bytes : float
        Of a slab, through the disk.
    hand_out_s : float
        Of the scheduler for a slab, one after another.
    once_s : float
        Before and after the pass, on one machine.
    """

    slabs: int
    core_s: float
    serial_fraction: float
    read_bytes: float
    written_bytes: float
    hand_out_s: float
    once_s: float

    def seconds_on(self, cores: int) -> float:
        """Give how long a worker with so many cores computes a slab (Amdahl's law)."""
        return self.core_s * (self.serial_fraction + (1 - self.serial_fraction) / cores)


@dataclass(frozen=True)
class Machines:
    """A cluster.

    Attributes
    ----------
    workers : int
        Processes, each with one slab in hand.
    cores : int
        Of each.
    disk_bytes_s : float
        That all of them share.
    link_bytes_s : float
        That one of them gets at most.
    """

    workers: int
    cores: int
    disk_bytes_s: float
    link_bytes_s: float = _NEVER


@dataclass
class _Slab:
    stage: int
    left: float  # bytes, or seconds


def simulate(costs: Costs, machines: Machines) -> float:
    """Give the seconds of a run.

    Workers take slabs from a queue, read, compute and write; who transfers at a time shares the
    disk evenly. The scheduler hands out one slab at a time.

    Parameters
    ----------
    costs : Costs
        What slabs cost.
    machines : Machines
        Who works.
    """
    waiting, at_work, now = costs.slabs, list[_Slab](), 0.0
    while waiting or at_work:
        if waiting and len(at_work) < machines.workers:
            handed = any(slab.stage == _HAND_OUT for slab in at_work)
            if not handed:
                at_work.append(_Slab(_HAND_OUT, costs.hand_out_s))
                waiting -= 1
        moving = sum(slab.stage in (_READ, _WRITE) for slab in at_work)
        speed = min(machines.disk_bytes_s / max(moving, 1), machines.link_bytes_s)
        step = min(_lasts(slab, speed) for slab in at_work)
        now += step
        for slab in at_work:
            slab.left -= step * (speed if slab.stage in (_READ, _WRITE) else 1.0)
        at_work = [slab for slab in at_work if _goes_on(slab, costs, machines)]
    return costs.once_s + now


def _lasts(slab: _Slab, speed: float) -> float:
    return slab.left / speed if slab.stage in (_READ, _WRITE) else slab.left


def _goes_on(slab: _Slab, costs: Costs, machines: Machines) -> bool:
    """Move a slab that is through with a stage to the next one; say whether there is one."""
    begins = {
        _READ: costs.read_bytes,
        _COMPUTE: costs.seconds_on(machines.cores),
        _WRITE: costs.written_bytes,
    }
    # Bytes and seconds are rounded: what is left of a stage that ended is not quite 0.
    while slab.left <= 1e-9 * max(begins.get(slab.stage, 1.0), 1e-3):
        if slab.stage == _WRITE:
            return False
        slab.stage += 1
        slab.left = begins[slab.stage]
    return True


def limited_by(costs: Costs, machines: Machines) -> Limit:
    """Say what most of the time goes to, were each of them alone."""
    transferred = costs.read_bytes + costs.written_bytes
    alone: dict[Limit, float] = {
        "processors": -(-costs.slabs // machines.workers) * costs.seconds_on(machines.cores),
        "disk": costs.slabs * transferred / machines.disk_bytes_s,
        "one after another": costs.once_s + costs.slabs * costs.hand_out_s,
    }
    return max(alone, key=lambda name: alone[name])
