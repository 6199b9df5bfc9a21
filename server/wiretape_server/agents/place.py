"""Where files lie and how they are read and written: nothing outside of its root, all or nothing, mode and BOM kept."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LARGEST = 16 * 1024 * 1024
BOM = "\ufeff"


class Refused(Exception):
    """A file that is left alone, and why."""


@dataclass(frozen=True)
class Found:
    """A file as it is now."""

    path: Path
    """Links resolved."""
    text: str | None
    """None where there is no file; without a byte order mark."""
    bom: bool = False
    mode: int = 0


def look(root: Path, relative: str) -> Found:
    """The file at `relative` in `root`, refused unless it is ordinary text, lies there, and may be changed."""
    path = root / relative
    real, real_root = _resolved(path), _resolved(root)
    if not real.is_relative_to(real_root):
        raise Refused(f"it is a link that leads out of {root} (to {real})")
    try:
        info = path.lstat() if not path.is_symlink() else path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            raise Refused(f"it is a link that leads nowhere ({real})") from None
        _check_folder(real)
        return Found(real, None)
    except NotADirectoryError:
        raise Refused("a file stands where its folder should be") from None
    except OSError as error:
        raise Refused(f"it cannot be read ({error.strerror})") from None
    return _read(real, info)


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        raise Refused("it is a link that leads back to itself") from None


def _read(path: Path, info: os.stat_result) -> Found:
    if not stat.S_ISREG(info.st_mode):
        raise Refused("it is not an ordinary file")
    if info.st_size > LARGEST:
        raise Refused(f"it is larger than {LARGEST // 2**20} MiB")
    if not info.st_mode & stat.S_IWUSR or not os.access(path, os.W_OK):
        raise Refused("you may not write to it")
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"it is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise Refused(f"it cannot be read ({error.strerror})") from None
    _check_folder(path)
    return Found(path, text.removeprefix(BOM), text.startswith(BOM), stat.S_IMODE(info.st_mode))


def _check_folder(path: Path) -> None:
    """The nearest folder that exists must be one that we may write to."""
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise Refused(f"{folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Refused(f"you may not write to its folder {folder}")


def backup_path(path: Path) -> Path:
    """Where the file's content from before wiretape is kept."""
    return path.with_name(f"{path.name}.bak")


def read_backup(path: Path) -> str | None:
    """The backup's text, as `Found.text` is."""
    with suppress(OSError, UnicodeDecodeError):
        return backup_path(path).read_bytes().decode("utf-8").removeprefix(BOM)
    return None


def write(found: Found, text: str) -> None:
    """Write the file whole; the first change of a file keeps what it was beside it."""
    path = found.path
    path.parent.mkdir(parents=True, exist_ok=True)
    if found.text is not None and not backup_path(path).exists():
        _replace(backup_path(path), path.read_bytes(), found.mode)
    _replace(path, ((BOM if found.bom else "") + text).encode(), found.mode if found.text is not None else None)


def restore(found: Found, text: str) -> None:
    """Write the file without what was ours; a backup that says the same has done its work."""
    _replace(found.path, ((BOM if found.bom else "") + text).encode(), found.mode)
    if backup_path(found.path).is_file() and backup_path(found.path).read_bytes() == found.path.read_bytes():
        backup_path(found.path).unlink()


def delete(found: Found, root: Path, *, keep: Callable[[Path], bool]) -> None:
    """Delete a file that we made, and the folders that it leaves empty, up to `root`."""
    found.path.unlink()
    folder, top = found.path.parent, root.resolve()
    while folder != top and folder.is_relative_to(top) and not keep(folder):
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def _replace(path: Path, data: bytes, mode: int | None) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part = Path(name)
        part.chmod(mode if mode is not None else 0o666 & ~_umask())
        if path.exists() and (was := path.stat()).st_uid != os.geteuid():
            with suppress(OSError):  # only root may give a file away
                os.chown(part, was.st_uid, was.st_gid)
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
