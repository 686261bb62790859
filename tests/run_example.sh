#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run_example.sh PROGRAM EXPECTED: runs an example; its text must be EXPECTED's, where that exists.
set -euo pipefail
if [ -f "$2" ]; then
    "$1" | diff -u "$2" -
else
    "$1"
fi
