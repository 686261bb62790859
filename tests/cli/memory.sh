#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Memory does not grow with the model: a file of 800 MB is made in less than 100 MB, the pages of
# its mapping included.
. "$KINDLING_SOURCE/tests/support/cli.sh"

recipe '{"name": "w", "shape": [200000000], "ops": [{"op": "constant", "value": 1}]}' >large.json
"$KINDLING" init large.json -o file --quiet --threads 2 &
pid=$!
peak=0
while [ -e "/proc/$pid/status" ]; do
    now=$(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status" 2>/dev/null) || true
    peak=${now:-$peak}
    sleep 0.01
done
wait "$pid"
[ "$(stat -c %s file)" -gt 800000000 ] || fail "the file is too small"
[ "$peak" -gt 1000 ] || fail "the peak was not seen"
[ "$peak" -lt 100000 ] || fail "the peak was $peak kB"
echo "peak: $peak kB"
