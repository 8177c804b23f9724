"""Cycler files, each written by hand in its maker's layout: what passed is known."""

import struct

import numpy as np
import pytest

from tests.study.cycles import draw_cycles
from xct.errors import XctError
from xct.io.cyclers import CyclerColumns, read_cycler

DRAWN = draw_cycles([0.010, 0.009], [0.008, 0.007])
NET_MAH = 0.004


def columns_of(drawn):
    """Give charge, discharge (counters, mAh) and step numbers."""
    time, _, current = drawn
    passed = np.concatenate([[0.0], np.diff(time) * (current[1:] + current[:-1]) / 2 / 3600])
    charge, discharge = np.cumsum(np.maximum(passed, 0)), np.cumsum(np.maximum(-passed, 0))
    return charge, discharge, np.concatenate([[0], np.cumsum(np.diff(np.sign(current)) != 0)])


def clock(seconds):
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{seconds % 60:06.3f}"


def biologic_text():
    charge, discharge, _ = columns_of(DRAWN)
    head = ["EC-Lab ASCII FILE", "Nb header lines : 4", "µ in Latin-1", ""]
    head[3] = "mode\ttime/s\tEwe/V\t<I>/mA\t(Q-Qo)/mA.h\tcycle number"
    rows = [
        f"1\t{t:.4f}\t{v:.5f}\t{i:.6g}\t{q:.9g}\t0".replace(".", ",")
        for t, v, i, q in zip(*DRAWN, charge - discharge, strict=True)
    ]
    return "\r\n".join([*head, *rows]).encode("latin-1")


def neware_text():
    """Unsigned currents; capacities of each step; a time of day."""
    charge, discharge, step = columns_of(DRAWN)
    rows = ["DataPoint,Cycle Index,Step Index,Step Type,Time,Total Time,Current(A),Voltage(V),"
            "Capacity(Ah),Chg. Cap.(Ah),DChg. Cap.(Ah)"]  # fmt: skip
    begun = {}
    for n, (t, v, i) in enumerate(zip(*DRAWN, strict=True)):
        c0, d0, t0 = begun.setdefault(
            step[n], (charge[n - 1] if n else 0, discharge[n - 1] if n else 0, t)
        )
        kind = "CC Chg" if i > 0 else "CC DChg" if i < 0 else "Rest"
        c, d = (charge[n] - c0) / 1000, (discharge[n] - d0) / 1000
        rows.append(
            f"{n + 1},1,{step[n]},{kind},{clock(t - t0)},{clock(t)},{abs(i) / 1000:.9f},{v:.5f},"
            f"{c + d:.9g},{c:.9g},{d:.9g}"
        )
    return "\n".join(rows).encode("utf-8-sig")


def arbin_text():
    charge, discharge, _ = columns_of(DRAWN)
    rows = ["Data_Point,Test_Time(s),Step_Time(s),Cycle_Index,Current(A),Voltage(V),"
            "Charge_Capacity(Ah),Discharge_Capacity(Ah)"]  # fmt: skip
    for n, (t, v, i) in enumerate(zip(*DRAWN, strict=True)):
        rows.append(
            f"{n + 1},{t:.4f},{t:.4f},1,{i / 1000:.9g},{v:.5f},{charge[n] / 1000:.9g},"
            f"{discharge[n] / 1000:.9g}"
        )
    return "\n".join(rows).encode()


def landt_text():
    rows = ["Record;Cycle-Index;Step-Index;TestTime/Sec;StepTime/Sec;Current/mA;Capacity/mAh;"
            "SpeCap/mAh/g;Voltage/V"]  # fmt: skip
    rows += [
        f"{n};1;1;{t:.4f};0;{i:.7g};0;0;{v:.5f}"
        for n, (t, v, i) in enumerate(zip(*DRAWN, strict=True))
    ]
    return "\n".join(rows).encode("utf-16")


@pytest.mark.parametrize(
    ("maker", "text"),
    [
        ("BioLogic", biologic_text), ("Neware", neware_text), ("Arbin", arbin_text),
        ("Landt", landt_text),
    ],
)  # fmt: skip
def test_exports_are_recognized_by_their_headings_and_give_the_same(maker, text, tmp_path):
    (tmp_path / "cell.csv").write_bytes(text())
    found = read_cycler([tmp_path / "cell.csv"])
    assert found.maker == maker
    assert found.warnings == ()
    assert found.charge_mah[-1] == pytest.approx(NET_MAH, rel=1e-3)
    assert found.charge_mah.max() == pytest.approx(0.0110, rel=1e-3)
    assert found.time_s[-1] == pytest.approx(DRAWN[0][-1], abs=0.01)
    np.testing.assert_allclose(found.current_ma, DRAWN[2], atol=1e-5)
    np.testing.assert_allclose(found.voltage_v, DRAWN[1], atol=1e-4)


def test_own_columns_are_named_with_their_units(tmp_path):
    time, voltage, current = DRAWN
    rows = [
        f"{t / 3600:.9f};{v:.4f};{i / 1000:.9f}"
        for t, v, i in zip(time, voltage, current, strict=True)
    ]
    (tmp_path / "own.csv").write_text("\n".join(["hours;U (V);amps", *rows]), "utf-8")
    columns = CyclerColumns("hours", "U (V)", "amps", time_s=3600.0, current_ma=1000.0)
    found = read_cycler([tmp_path / "own.csv"], columns)
    assert found.charge_mah[-1] == pytest.approx(NET_MAH, rel=1e-3)
    with pytest.raises(XctError, match=r"name them: cycler: \{file: …, columns"):
        read_cycler([tmp_path / "own.csv"])
    wrong = CyclerColumns("hour", "U (V)", "amps")
    with pytest.raises(XctError, match=r"no column 'hour' \(did you mean hours\?\)"):
        read_cycler([tmp_path / "own.csv"], wrong)


def test_several_files_of_one_cell_follow_each_other(tmp_path):
    (tmp_path / "a.csv").write_bytes(arbin_text())
    found = read_cycler([tmp_path / "a.csv", tmp_path / "a.csv"])
    assert found.charge_mah[-1] == pytest.approx(2 * NET_MAH, rel=1e-3)
    assert (np.diff(found.time_s) >= 0).all()


def mpr_bytes():
    """Write a file of EC-Lab 10: settings, and data of time, voltage, current and charge."""
    charge, discharge, _ = columns_of(DRAWN)
    columns = (4, 6, 8, 13)  # time/s, Ewe/V, I/mA, (Q-Qo)/mA.h
    row = np.dtype([("t", "<f8"), ("v", "<f4"), ("i", "<f4"), ("q", "<f8")])
    data = np.zeros(len(DRAWN[0]), row)
    for name, values in zip("tviq", (*DRAWN, charge - discharge), strict=True):
        data[name] = values
    head = struct.pack("<IB", len(data), len(columns)) + struct.pack("<4H", *columns)

    def module(name, long, body, version):
        return (
            b"MODULE" + name.ljust(10) + long.ljust(25) + struct.pack("<II", len(body), version)
            + b"11/29/26" + body
        )  # fmt: skip

    magic = b"BIO-LOGIC MODULAR FILE\x1a".ljust(48) + b"\x00" * 4
    body = head.ljust(405, b"\x00") + data.tobytes()
    return (
        magic
        + module(b"VMP Set", b"VMP settings", b"", 0)
        + module(b"VMP data", b"VMP data", body, 2)
    )


def test_files_of_ec_lab_are_read(tmp_path):
    pytest.importorskip("galvani")
    (tmp_path / "cell.mpr").write_bytes(mpr_bytes())
    found = read_cycler([tmp_path / "cell.mpr"])
    assert found.maker == "BioLogic"
    assert found.charge_mah[-1] == pytest.approx(NET_MAH, rel=1e-3)
    (tmp_path / "half.mpr").write_bytes(mpr_bytes()[:900])
    with pytest.raises(XctError, match=r"half.mpr: galvani cannot read it .*in EC-Lab"):
        read_cycler([tmp_path / "half.mpr"])


def nda_bytes():
    """Write a file of BTSDA, version 29: one record of 86 bytes after the other."""
    time, voltage, current = DRAWN
    charge, discharge, step = columns_of(DRAWN)
    factor = 1e-4  # of the range 1000 (0.1 A): counts of 0.1 µA
    records = []
    for n in range(len(time)):
        first = int(np.flatnonzero(step == step[n])[0])
        c0, d0 = (charge[first - 1], discharge[first - 1]) if first else (0.0, 0.0)
        status = 1 if current[n] > 0 else 2 if current[n] < 0 else 4
        record = bytearray(86)
        record[0:2] = b"\x55\x00"
        struct.pack_into("<IIHB", record, 2, n + 1, 0, int(step[n]) + 1, status)
        struct.pack_into("<Qii", record, 14, round(1000 * (time[n] - time[first])),
                         round(1e4 * voltage[n]), round(current[n] / factor))  # fmt: skip
        passed = [round(3600 * q / factor) for q in (charge[n] - c0, discharge[n] - d0)]
        struct.pack_into("<qqqq", record, 38, *passed, 0, 0)
        struct.pack_into("<HBBBBB", record, 70, 2026, 11, 29, 12, 0, 0)
        struct.pack_into("<i", record, 78, 1)
        records.append(bytes(record))
    return b"NEWARE".ljust(14, b"\x00") + bytes([29]) + bytes(2048) + b"".join(records)


def test_files_of_btsda_are_read(tmp_path):
    dicts = pytest.importorskip("NewareNDA.dicts")
    assert dicts.multiplier_dict[1] == pytest.approx(1e-4)
    (tmp_path / "cell.nda").write_bytes(nda_bytes())
    found = read_cycler([tmp_path / "cell.nda"])
    assert found.maker == "Neware"
    assert found.charge_mah[-1] == pytest.approx(NET_MAH, rel=1e-2)
    (tmp_path / "bad.ndax").write_bytes(b"no archive")
    with pytest.raises(XctError, match=r"bad.ndax: NewareNDA cannot read it .*in BTSDA"):
        read_cycler([tmp_path / "bad.ndax"])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.res", "of Arbin are not read; export it as CSV, in MITS Pro"),
        ("a.ccs", "of Landt are not read; export it as CSV, in LANDdt"),
        ("a.xlsx", "save the sheet of records as CSV"),
    ],
)
def test_what_no_reader_fits_is_refused_with_the_way_to_export(name, said, tmp_path):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(XctError, match=said):
        read_cycler([tmp_path / name])


def test_mistakes_are_said_with_their_cause(tmp_path):
    with pytest.raises(XctError, match="no such cycler file"):
        read_cycler([tmp_path / "none.csv"])
    (tmp_path / "other.csv").write_text("a,b\n1,2\n", "utf-8")
    with pytest.raises(XctError, match="its columns: a, b"):
        read_cycler([tmp_path / "other.csv"])
    text = arbin_text().decode()
    lines = text.splitlines()
    (tmp_path / "short.csv").write_text("\n".join(lines[:4]), "utf-8")
    with pytest.raises(XctError, match="3 complete records, at least 10"):
        read_cycler([tmp_path / "short.csv"])
    (tmp_path / "back.csv").write_text("\n".join([*lines, *lines[1:]]), "utf-8")
    with pytest.raises(XctError, match=f"time runs backwards at record {len(lines)}"):
        read_cycler([tmp_path / "back.csv"])
    (tmp_path / "unit.csv").write_text(text.replace("Current(A)", "Current(mA)"), "utf-8")
    with pytest.raises(XctError, match="another unit than its heading says"):
        read_cycler([tmp_path / "unit.csv"])
    (tmp_path / "plain.csv").write_text(text.replace("-", ""), "utf-8")
    with pytest.raises(XctError, match="never changes its sign"):
        read_cycler([tmp_path / "plain.csv"])


def test_layers_of_cycles_and_steps_among_the_records_are_refused(tmp_path):
    """Rows of cycles hold numbers where records have their voltage: read, they would be wrong."""
    head = ["Cycle ID,Cap_Chg(mAh),Cap_DChg(mAh),a,b", ",Step ID,Step Name,c,d"]
    head += [",,Record ID,Time(h:min:s.ms),Voltage(V),Current(mA),Step Type"]
    rows = [f",,{n},0:00:{n:02d},3.{n},0.1,CC Chg" for n in range(30)]
    (tmp_path / "nested.csv").write_text("\n".join([*head, *rows, "2,1,1,4,5"]), "utf-8")
    with pytest.raises(XctError, match=r"line 3. are no plain table.*layer of records alone"):
        read_cycler([tmp_path / "nested.csv"])
    text = arbin_text().decode().splitlines()
    text[5] += ",1,2,3,4"
    (tmp_path / "wide.csv").write_text("\n".join(text), "utf-8")
    with pytest.raises(XctError, match="no plain table"):
        read_cycler([tmp_path / "wide.csv"])
