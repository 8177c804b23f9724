"""The machine and the packages that figures belong to. In: nothing; out: what they are."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

# Packages that decide how fast things are, beside the peers.
_OWN = ("xct", "numpy", "scipy", "numba", "mkl_fft", "pyFFTW")
_PEERS = ("algotom", "astra-toolbox", "finufft", "scikit-image")


def describe() -> dict[str, object]:
    """Give cores, processor, memory, Python and date; not whose machine it is."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def versions() -> dict[str, str | None]:
    """Version of every package that counts; None where it is not installed."""
    return {name: installed(name) for name in (*_OWN, *_PEERS)}


def absent() -> list[str]:
    """Peers that are not installed."""
    return [name for name in _PEERS if installed(name) is None]


def installed(name: str) -> str | None:
    """Version of a package, or None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
