# Two commands on a fresh machine: `make demo` and `make test`. Everything goes into .venv.
# Needed: Python 3.11.1 or newer and a package registry. System packages that are missing are
# installed where make runs as root on Debian or Ubuntu; otherwise a message names them.

SHELL = /bin/sh
# Some containers ask Python for it; here many processes, one after another, share the bytecode.
unexport PYTHONDONTWRITEBYTECODE
PYTHON = python3
VENV = .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: install demo test lint docs campaign clean imagej paraview screen slurm browser
.NOTPARALLEL:

install: $(VENV)/.installed

demo: install
	$(BIN)/xct demo

# Each process begins with other files: none compiles kernels, nor draws cells, that another has.
# Three, also on two cores: some wait for windows, for jobs, and for processes of their own.
test: $(VENV)/.installed-dev imagej screen slurm browser
	@$(ON_SCREEN) $(BIN)/python -m pytest -n 3 --dist worksteal

# Text is UTF-8 whatever the locale (PLW1514, a rule of ruff's in preview): LLVM sets that of the
# whole process to C while it compiles a kernel, so that other threads would read ASCII.
lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff check --preview --select PLW1514
	$(BIN)/ruff format --check
	$(BIN)/mypy

# A warning is an error: a broken link, a name that is not described, a page that nobody finds.
docs: $(VENV)/.installed-dev
	$(BIN)/python docs/draw_house.py
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --jobs auto docs build/docs
	$(BIN)/python docs/check_site.py build/docs

# Compiled kernels and bytecode; kernels of earlier sources stay on disk until then.
clean:
	find xct tests -name __pycache__ -prune -exec rm -rf {} +

# Takes hours; several may run on one folder. What is scored stays scored: the same command goes on
# where it was. `make campaign OUT=DIR` works in another folder.
OUT = bench
campaign: install
	$(BIN)/xct bench accuracy --size full --out $(OUT)
	$(BIN)/python -m studies.killed_runs $(OUT)/killed
	$(BIN)/python -m studies.fuzzed_inputs $(OUT)/fuzzed

# The plugin is tested in a real napari window, on a virtual screen where there is none.
ON_SCREEN = if command -v xvfb-run >/dev/null; then \
	set -- xvfb-run -a -s "-screen 0 1600x1000x24 +extension GLX"; else set --; fi; "$$@"

# $(call packages,NAMES,WHY): shell command that succeeds if it could install them
packages = { \
	echo "Missing: $(1) ($(2))."; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "As root on Debian or Ubuntu: apt-get install $(1)"; false; \
	else \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get -q update && apt-get -qy install --no-install-recommends $(1); \
	fi; }

$(BIN)/pip:
	@command -v $(PYTHON) >/dev/null || { \
		echo "Missing: $(PYTHON). Install Python 3.11.1 or newer, or say make PYTHON=..."; false; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 1))' || { \
		echo "xct needs Python 3.11.1 or newer, but $(PYTHON) is $$($(PYTHON) --version);" \
			"name a newer one with make PYTHON=..."; false; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		$(call packages,python3-venv,without it no virtual environment can be made)
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing xct and what it needs into $(VENV): a minute or two."
	@$(PIP) --editable .
	@touch $@

# The GPL-licensed extras are here because what they do is tested too.
$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing xct and the tools for its tests into $(VENV): a few minutes."
	@$(PIP) --editable '.[dev,astra,biologic]'
	@touch $(VENV)/.installed $@

SCREEN_PACKAGES = xvfb xauth libxcb-icccm4 libxcb-keysyms1 libgl1 libegl1 libgl1-mesa-dri \
	libglx-mesa0 libxkbcommon0 libxkbcommon-x11-0 libxcb-cursor0 libxcb-image0 \
	libxcb-render-util0 libxcb-shape0 libxcb-xkb1 libdbus-1-3 libfontconfig1

# The plugin's tests open napari, and skip where there is no screen.
screen:
	@command -v xvfb-run >/dev/null || \
		$(call packages,$(SCREEN_PACKAGES),napari is tested in a window) || \
		echo "Going on: the tests that open napari skip where there is no screen."

# A test opens an exported TIFF stack with ImageJ, and skips where there is none.
imagej:
	@{ command -v imagej && command -v java; } >/dev/null || \
		$(call packages,imagej default-jre-headless,a test opens an exported stack with ImageJ) || \
		echo "Going on: the test that opens an exported stack with ImageJ skips."

# Pages are opened in a browser, which also prints them; without one these tests skip.
browser:
	@{ command -v chromedriver && command -v chromium; } >/dev/null || \
		$(call packages,chromium chromium-driver,pages are tested in a browser) || \
		echo "Going on: the tests that open pages in a browser skip."

# Jobs are tested on a real SLURM, started on this machine; without one these tests skip.
slurm:
	@{ command -v slurmctld && command -v slurmd && command -v munged; } >/dev/null || \
		$(call packages,slurm-wlm munge,jobs of a cluster are tested on a real SLURM) || \
		echo "Going on: the tests with a real SLURM skip."

# Tests open an exported VTI file, and fields of a simulation, with ParaView; several hundred megabytes, so `make test` does not ask for it.
paraview:
	@command -v pvpython >/dev/null || \
		$(call packages,paraview python3-paraview,tests open exported volumes and simulations with ParaView) || \
		echo "Going on: the tests that open files with ParaView skip."
