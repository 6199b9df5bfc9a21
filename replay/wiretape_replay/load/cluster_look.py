"""What a dask worker is asked before anything is sent to it: which wiretape it has, and on which machine it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wiretape_capture.errors import WiretapeError


@dataclass(frozen=True, slots=True)
class Look:
    """What a worker says of itself."""

    wiretape: str
    """Version; empty where it is not installed."""
    build: str
    """Hash of its code, for two builds of one version may count differently."""
    python: str
    machine: str

    @classmethod
    def read(cls, told: Mapping[str, str]) -> Look:
        """From what `looker` gave."""
        return cls(told["wiretape"], told["build"], told["python"], told["machine"])


def looker() -> Callable[[], dict[str, str]]:
    """A function that travels with its code, for wiretape may be missing where it arrives. It needs only Python."""

    def look() -> dict[str, str]:
        import hashlib
        import socket
        import sys
        from importlib.metadata import PackageNotFoundError, version
        from importlib.util import find_spec
        from pathlib import Path

        code = hashlib.sha256()
        for package in ("wiretape_capture", "wiretape_replay"):
            spec = find_spec(package)
            for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
                for path in sorted(Path(folder).rglob("*.py")):
                    code.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
        try:
            installed = version("wiretape")
        except PackageNotFoundError:
            installed = ""
        boot = Path("/proc/sys/kernel/random/boot_id")
        machine = socket.gethostname() + (f" {boot.read_text().strip()}" if boot.exists() else "")
        return {"wiretape": installed, "build": code.hexdigest(), "machine": machine,
                "python": f"{sys.version_info.major}.{sys.version_info.minor}"}  # fmt: skip

    return look


def refuse_others(looks: Mapping[str, Look], mine: Look, *, loopback: bool) -> None:
    """Raise for the first worker, by address, that cannot do what this machine would; `loopback` is of the target."""
    for name, look in sorted(looks.items()):
        if not look.wiretape:
            raise WiretapeError(f"worker {name} of the cluster has no wiretape",
                                f"install it there: pip install 'wiretape[dask]=={mine.wiretape}'")  # fmt: skip
        if look.wiretape != mine.wiretape:
            raise WiretapeError(f"worker {name} of the cluster has wiretape {look.wiretape}, this is {mine.wiretape}",
                                "install the same version on all of them")  # fmt: skip
        if look.python != mine.python:
            raise WiretapeError(f"worker {name} of the cluster runs Python {look.python}, this is {mine.python}",
                                "use one version of Python")  # fmt: skip
        if look.build != mine.build:
            raise WiretapeError(f"worker {name} of the cluster has another build of wiretape {mine.wiretape}",
                                "install the same one on all of them")  # fmt: skip
        if loopback and look.machine != mine.machine:
            raise WiretapeError(f"the target is on loopback, and worker {name} of the cluster is on another machine",
                                "give --target an address that the cluster reaches")  # fmt: skip
