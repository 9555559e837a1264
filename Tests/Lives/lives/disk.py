"""A file system of 16 MB in memory, for disks that are full."""

import os
import subprocess


class SmallDisk:
    """Where a box has its data."""

    def __init__(self, path: str, megabytes: int = 16) -> None:
        self.path = path
        os.makedirs(path, mode=0o700, exist_ok=True)
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", path], check=True, capture_output=True)

    def fill(self) -> None:
        """Takes all room that is left."""
        with open(f"{self.path}/ballast", "ab", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                return

    def empty(self) -> None:
        if os.path.exists(f"{self.path}/ballast"):
            os.unlink(f"{self.path}/ballast")

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", self.path], capture_output=True)


def is_possible() -> bool:
    return os.getuid() == 0
