# SPDX-License-Identifier: MIT
# What an image of one's own has frozen in, whatever the board: see "An image of your own" in README.md.
# ruff: noqa: F821  these are names that MicroPython's tools/manifestfile.py knows
from glob import glob

include("$(PORT_DIR)/boards/manifest.py")
package("wattport", base_path="../firmware", opt=3)
module("boot.py", base_path="frozen", opt=3)
# put there by `make setup`
module("microdot.py", base_path=glob("../.venv/lib/python3*/site-packages/microdot")[0], opt=3)
