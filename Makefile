# Works with uv on PATH, with uv as a module, and with neither (it is then installed by pip).
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo python3 -m uv)

# uv does not look into virtual environments for an interpreter; the python3 at hand may be one, and is good enough.
PYTHON313 := $(shell python3 -c 'import sys; print(sys.executable if sys.version_info[:2] == (3, 13) else "")' 2>/dev/null)
ifneq ($(PYTHON313),)
export UV_PYTHON ?= $(PYTHON313)
endif

.PHONY: demo check lint types test docs uv

demo: uv ## record, mock and replay a small shop: the whole loop in under a minute
	@$(UV) run --quiet --no-default-groups wiretape demo

check: lint types test ## everything that must be green

lint: uv
	$(UV) run --quiet ruff check
	$(UV) run --quiet ruff format --check

types: uv
	$(UV) run --quiet mypy

test: uv
	$(UV) run --quiet pytest -q -n 4 --dist loadgroup

uv:
	@$(UV) --version >/dev/null 2>&1 || python3 -m pip install --quiet uv
