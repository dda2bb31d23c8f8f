"""Every figure of the screen in one run: the machine, then each bench beside its floor.

python tests/bench/bench_all.py
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

BENCHES = ("bench_start.py", "bench_screen.py", "bench_rows.py")


def main() -> None:
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{time.strftime('%Y-%m-%d %H:%M')}, {platform.machine()}, {os.cpu_count()} cores, load {load}", flush=True)
    for bench in BENCHES:
        print(f"\n== {bench}", flush=True)
        subprocess.run([sys.executable, str(Path(__file__).with_name(bench))], check=False)


if __name__ == "__main__":
    main()
