# SPDX-License-Identifier: MIT
# ruff: noqa: F821
include("../manifest.py")
module("board.py", opt=3)
