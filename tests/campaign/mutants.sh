#!/usr/bin/env bash
# Proves that the campaign can fail: each patch in mutants/ is a mistake that an engine must not make. usage: mutants.sh [SEEDS]
set -euo pipefail
cd "$(dirname "$0")/../.."
seeds=${1:-400}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
missed=0
for patch in tests/campaign/mutants/*.patch; do
    name=$(basename "$patch" .patch)
    rm -rf "$work/tree" && mkdir "$work/tree"
    git ls-files -z | xargs -0 cp --parents -t "$work/tree"
    (cd "$work/tree" && patch -s -p1) <"$patch" || { echo "$name: the patch does not apply any more; mend it"; missed=1; continue; }
    if ! (cd "$work/tree" && CARGO_TARGET_DIR="$OLDPWD/target/mutants" cargo build -q -p ml-connector-campaign); then
        echo "$name: does not compile; mend the patch"; missed=1; continue
    fi
    if target/mutants/debug/ml-connector-campaign --seeds "$seeds" >"$work/out" 2>&1; then
        echo "$name: NOT FOUND in $seeds seeds"; missed=1
    else
        echo "$name: found ($(grep -c '^seed' "$work/out") of $seeds seeds), e.g. $(grep -m1 '^seed' "$work/out")"
    fi
done
exit $missed
