#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run_example.sh EXPECTED PROGRAM...: runs an example; its text must be EXPECTED's, where that exists.
set -euo pipefail
expected=$1
shift
if [ -f "$expected" ]; then
    "$@" | diff -u "$expected" -
else
    "$@"
fi
