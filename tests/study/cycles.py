"""A cell's cycling, drawn by hand: what passes in each cycle is known."""

import numpy as np

CURRENT_MA = 0.05


def draw_cycles(charges_mah, discharges_mah, *, steps=60, rest=5):
    """Give time (s), voltage (V) and current (mA), with a rest after each half cycle."""
    time, voltage, current = [0.0], [3.0], [0.0]

    def passed(capacity, side):
        duration = capacity / CURRENT_MA * 3600
        for part in np.linspace(0, 1, steps):
            time.append(time[-1] + (1e-3 if part == 0 else duration / (steps - 1)))
            voltage.append(3.0 + part if side > 0 else 4.0 - part)
            current.append(side * CURRENT_MA)
        for _ in range(rest):
            time.append(time[-1] + (1e-3 if current[-1] else 60.0))
            voltage.append(voltage[-1])
            current.append(0.0)

    for number, charge in enumerate(charges_mah):
        passed(charge, 1)
        if number < len(discharges_mah):
            passed(discharges_mah[number], -1)
    return np.array(time), np.array(voltage), np.array(current)


def write_csv(path, drawn, *, unit="mA", heading="t,U,I"):
    time, voltage, current = drawn
    factor = {"mA": 1.0, "A": 1e-3}[unit]
    rows = [
        f"{t:.4f},{v:.5f},{i * factor:.8g}" for t, v, i in zip(time, voltage, current, strict=True)
    ]
    path.write_text("\n".join([heading, *rows]), "utf-8")
    return path
