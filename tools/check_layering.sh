#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_layering.sh [ROOT]: checks the rules of ARCHITECTURE.md that a compiler does not.
#   - dependencies point one way: a folder of src/ includes only itself and the folders before it;
#   - cli/, examples/ use the public headers (and cli/ its own); tests and benchmarks may use all;
#   - file names are unique, first lines name the licence, files stay short, lines narrow.
# Prints each fault and fails if there is one.
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/..}"

# The order of the layers. A public header belongs to the folder of its name, or to the one here.
layers="base kernels tensor random plan ops init recipe nn checkpoint models"
layers+=" compute autograd forward optim data" # of libkindling_train
homes="dtype:base options:base each:base module:nn layer:nn description:nn scheme:init kindling:cli"
homes+=" math:autograd indexing:autograd functional:autograd lr:optim train:cli"
longest=650 widest=100

folders=()
for folder in include src cli examples tests bench fuzz; do
    [ ! -d "$folder" ] || folders+=("$folder")
done
find "${folders[@]}" -name '*.[ch]' | LC_ALL=C sort | xargs awk \
    -v layers="$layers" -v homes="$homes" -v longest="$longest" \
    -v widest="$widest" '
    BEGIN {
        count = split(layers " cli", names, " ")
        for (i = 1; i <= count; i++) rank[names[i]] = i
        split(homes, pairs, " ")
        for (i in pairs) { split(pairs[i], pair, ":"); home[pair[1]] = pair[2] }
    }
    function fault(text) { print FILENAME ":" FNR ": " text; faults++ }
    # The layer that owns a file, given by its path or as an #include writes it.
    function layer(path, parts, n, stem) {
        n = split(path, parts, "/")
        if (parts[1] == "include") return layer("kindling/" parts[n])
        if (parts[1] == "src") return parts[2]
        if (parts[1] == "cli" || parts[1] == "examples") return "cli"
        if (parts[1] != "kindling") return parts[1]
        stem = parts[2]; sub(/(_.*)?\.h$/, "", stem) # nn_conv.h is of nn
        return stem in home ? home[stem] : stem
    }
    function finish() { if (last && lines > longest) { print last ": " lines " lines"; faults++ } }
    FNR == 1 {
        finish()
        last = FILENAME
        own = layer(FILENAME)
        free = own ~ /^(tests|bench|fuzz)$/
        if (!free && !(own in rank)) fault("has no place in the order of the layers")
        if ($0 !~ /SPDX-License-Identifier: Apache-2.0/) fault("the first line names no licence")
        base = FILENAME; sub(/.*\//, "", base)
        # A public header may share the name of the private header of its folder.
        if (FILENAME !~ /^include\//) {
            if (base in seen) fault("the name is taken by " seen[base])
            seen[base] = FILENAME
        }
    }
    { lines = FNR }
    length($0) > widest { fault(length($0) " columns") }
    /^[ \t]*#[ \t]*include[ \t]*"/ || /^[ \t]*#[ \t]*include[ \t]*<kindling\// {
        path = $0; sub(/^[^"<]*["<]/, "", path); sub(/[">].*/, "", path)
        if (free || path !~ /\//) next # without a slash: a file of the same folder
        other = layer(path)
        if (own == "cli" && path !~ /^(kindling|cli)\//) fault("includes the private " path)
        else if (!(other in rank)) fault("includes " path ", which no layer owns")
        else if (other == "cli" && own != "cli") fault("includes " path ", which is above all layers")
        else if (own in rank && rank[other] > rank[own])
            fault("is in " own " and includes " path " of the later layer " other)
    }
    END { finish(); exit faults > 0 }'
