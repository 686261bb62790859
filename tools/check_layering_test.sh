#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Tries check_layering.sh on small trees: a good one passes, each kind of fault is found.
set -euo pipefail
check=$(realpath "$(dirname "${BASH_SOURCE[0]}")/check_layering.sh")
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
licence='/* SPDX-License-Identifier: Apache-2.0 */'

# put FILE LINE...: writes a file that begins with the licence.
put() {
    local file=$tree/$1
    shift
    mkdir -p "$(dirname "$file")"
    printf '%s\n' "$licence" "$@" >"$file"
}

good_tree() {
    rm -rf "${tree:?}"/*
    put include/kindling/base.h
    put include/kindling/dtype.h '#include "kindling/base.h"'
    put include/kindling/nn.h '#include "kindling/base.h"'
    put include/kindling/kindling.h '#include "kindling/nn.h"'
    put src/base/base.h '#include "kindling/base.h"'
    put src/kernels/ref/fill_ref.c '#include "base/base.h"'
    put src/nn/module.c '#include "base/base.h"' '#include "kindling/nn.h"' '#include "local.h"'
    put cli/main.c '#include "kindling/kindling.h"' '#include <kindling/nn.h>'
    put examples/first.c '#include <kindling/kindling.h>'
    put tests/unit/nn/test_module.c '#include "nn/module.h"'
}

# expect_fault TEXT: the check fails and says TEXT.
expect_fault() {
    local output
    if output=$("$check" "$tree"); then
        echo "not found: $1"
        exit 1
    fi
    if ! grep -qF "$1" <<<"$output"; then
        printf 'expected "%s", got:\n%s\n' "$1" "$output"
        exit 1
    fi
    good_tree
}

good_tree
"$check" "$tree"

put src/base/memory.c '#include "nn/module.h"'
expect_fault 'src/base/memory.c:2: is in base and includes nn/module.h of the later layer nn'
put src/base/memory.c '  #  include <kindling/nn.h>'
expect_fault 'includes kindling/nn.h of the later layer nn'
put include/kindling/dtype.h '#include "kindling/nn.h"'
expect_fault 'is in base and includes kindling/nn.h'
put src/nn/linear.c '#include "cli/main.h"'
expect_fault 'includes cli/main.h, which is above all layers'
put src/nn/linear.c '#include "kindling/kindling.h"'
expect_fault 'includes kindling/kindling.h, which is above all layers'
put cli/init.c '#include "nn/module.h"'
expect_fault 'includes the private nn/module.h'
put examples/second.c '#include "base/base.h"'
expect_fault 'includes the private base/base.h'
put src/elsewhere/thing.c
expect_fault 'has no place in the order of the layers'
put src/nn/linear.c '#include "elsewhere/thing.h"'
expect_fault 'includes elsewhere/thing.h, which no layer owns'
put src/models/module.c
expect_fault 'the name is taken by'
echo 'int x;' >"$tree/src/nn/linear.c"
expect_fault 'the first line names no licence'
seq 700 | sed 's|.*|/* & */|' >>"$tree/src/nn/module.c"
expect_fault 'src/nn/module.c: 704 lines'
put src/nn/linear.c "$(printf '/* %95s */' wide)"
expect_fault 'src/nn/linear.c:2: 101 columns'
"$check" "$tree"
