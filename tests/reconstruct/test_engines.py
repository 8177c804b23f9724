"""Reconstruction engines: those of xct, and those of other packages."""

import numpy as np
import pytest
from pydantic import ValidationError

from xct.reconstruct import Engine, engines, fbp, register_engine
from xct.reconstruct.engines import engine_names, find_engine
from xct.stages import STAGES

THETA = np.linspace(0, 180, 12, endpoint=False)
ROWS = np.ones((12, 3, 20), dtype=np.float32)
OF_ANOTHER_PACKAGE = """
import numpy as np

class Mean:
    name = "mean"
    at_once = 2

    def unavailable(self):
        return None

    def memory_bytes(self, shape, size):
        return 4 * shape[1] * size**2

    def reconstruct(self, request):
        weighted = np.tensordot(request.weights, request.line_integrals, (0, 0)).mean(axis=1)
        shape = (request.rows, request.size, request.size)
        return np.broadcast_to(weighted[:, None, None] * request.scale, shape).astype(np.float32)

ENGINE = Mean()
"""


@pytest.fixture(autouse=True)
def _forgotten_afterwards(monkeypatch):
    monkeypatch.setattr(engines, "_KNOWN", dict(engines._KNOWN))
    engines._installed.cache_clear()
    yield
    engines._installed.cache_clear()


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package that declares an engine of its own, as an installer leaves it."""

    def install(value="my_lab_engine:ENGINE"):
        (tmp_path / "my_lab_engine.py").write_text(OF_ANOTHER_PACKAGE, encoding="utf-8")
        about = tmp_path / "my_lab-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: my_lab\nVersion: 1.0\n", encoding="utf-8"
        )
        (about / "entry_points.txt").write_text(
            f"[xct.engines]\nmean = {value}\n", encoding="utf-8"
        )
        monkeypatch.syspath_prepend(tmp_path)

    return install


def reconstruct(**settings):
    return fbp(ROWS, THETA, 9.5, pixel_size_um=2.0, **settings)


def test_an_engine_of_another_package_reconstructs(installed):
    installed()
    assert engine_names() == ["auto", "fourier", "astra", "mean"]
    volume = reconstruct(engine="mean", size=7)
    assert volume.shape == (3, 7, 7)
    np.testing.assert_allclose(volume, np.pi * 1e4 / 2, rtol=1e-6)


def test_an_engine_says_what_it_needs(installed):
    installed()
    engine = find_engine("mean")
    assert isinstance(engine, Engine)
    assert engine.at_once == 2
    assert engine.memory_bytes((12, 3, 20), 20) == 4800


def test_a_configuration_knows_the_engines_that_are_installed(installed):
    installed()
    settings = STAGES["fbp"].settings
    assert settings(engine="mean").engine == "mean"
    assert settings.model_json_schema()["properties"]["engine"]["enum"] == engine_names()
    with pytest.raises(ValidationError, match=r"'maen' is unknown; did you mean 'mean'\?"):
        settings(engine="maen")


def test_an_engine_that_cannot_be_imported_says_whose_it_is(installed):
    installed("my_lab_engine:GONE")
    with pytest.raises(ImportError, match=r"engine 'mean' \(my_lab_engine:GONE\).*GONE"):
        reconstruct(engine="mean")
    assert np.isfinite(reconstruct()).all()


class Half:
    """Half of what xct gives; for one machine only."""

    name = "half"
    at_once = None
    reason = None

    def unavailable(self):
        return self.reason

    def memory_bytes(self, shape, size):
        return find_engine().memory_bytes(shape, size)

    def reconstruct(self, request):
        return find_engine().reconstruct(request) / 2


def test_an_engine_may_be_registered_by_hand():
    register_engine(Half())
    np.testing.assert_allclose(reconstruct(engine="half"), reconstruct() / 2)


def test_an_engine_that_cannot_run_here_gives_its_reason():
    engine = Half()
    engine.reason = "there is no second half"
    register_engine(engine)
    with pytest.raises(ImportError, match="engine='half' cannot be used: there is no second half"):
        reconstruct(engine="half")


def test_what_lacks_parts_of_an_engine_is_refused():
    with pytest.raises(TypeError, match="it lacks at_once, memory_bytes, reconstruct, unavailable"):
        register_engine(type("Nothing", (), {"name": "nothing"})())


@pytest.mark.parametrize("name", ["auto", "fourier", "astra"])
def test_the_names_of_xcts_own_engines_are_taken(name):
    engine = Half()
    engine.name = name
    with pytest.raises(ValueError, match=f"engine name '{name}' is taken"):
        register_engine(engine)


@pytest.mark.parametrize("name", ["fourier", "astra"])
def test_memory_grows_with_rows_angles_and_size(name):
    engine = find_engine(name)
    least = engine.memory_bytes((100, 16, 64), 64)
    assert least > 4 * 16 * 64**2
    for more in (((200, 16, 64), 64), ((100, 32, 64), 64), ((100, 16, 64), 80)):
        assert engine.memory_bytes(*more) > least
