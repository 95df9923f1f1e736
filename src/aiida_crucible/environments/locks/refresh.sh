#!/usr/bin/env bash
# Makes the locks anew from the .in files: `make locks`, or `refresh.sh FAMILY...` for some of them.
#
# A lock holds for Python 3.10 to 3.13 and any platform. It names torch's release but neither its build nor the CUDA
# packages: those follow from the build that fits the machine where the environment is created.
set -euo pipefail
cd "$(dirname "$0")"
uv=${UV:-uv}
families=("$@")
[ $# -gt 0 ] || families=(analysis chgnet emt mace orb sevennet)
for family in "${families[@]}"; do
  "$uv" pip compile --quiet --universal --python-version 3.10 --no-annotate --upgrade --override overrides.in \
    --custom-compile-command "make locks" "$family.in" |
    grep -vE '^(nvidia-(cu|nccl|nvjitlink|nvshmem|nvtx)|cuda-|triton)' |
    sed -E 's/^(torch==[0-9.]+).*/\1/' | uniq >"$family.txt.new"
  mv "$family.txt.new" "$family.txt"
done
