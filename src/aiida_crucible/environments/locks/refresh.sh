#!/usr/bin/env bash
# Makes the locks anew from the .in files: `make locks`, or `refresh.sh FAMILY...` for some of them.
# With UPGRADE= in the environment the versions stay as they are, and only what is new is resolved.
#
# A lock holds for Python 3.10 to 3.13 and any platform, with the hash of every file that the registry has of each
# package. It names torch's release but neither its build nor the CUDA packages: those follow from the build that fits
# the machine where the environment is created. torch.txt has the hashes of the registry's own build and its companions.
set -euo pipefail
cd "$(dirname "$0")"
uv=${UV:-uv}
upgrade=${UPGRADE---upgrade}
companions='^(nvidia-(cu|nccl|nvjitlink|nvshmem|nvtx)|cuda-|triton)'
families=("$@")
[ $# -gt 0 ] || families=(analysis chgnet emt mace orb sevennet torch)

compile() {
  # A folder of wheels on this machine would add files that nobody else has.
  env -u UV_FIND_LINKS -u UV_TORCH_BACKEND "$uv" pip compile --quiet --universal --python-version 3.10 --no-annotate \
    --generate-hashes ${upgrade:+"$upgrade"} --override overrides.in --custom-compile-command "make locks" \
    "$1.in" --output-file "$1.txt.new"
}

for family in "${families[@]}"; do
  # uv keeps the versions that it finds in the file that it writes.
  if [ -z "$upgrade" ] && [ -e "$family.txt" ]; then cp "$family.txt" "$family.txt.new"; fi
  compile "$family"
  if [ "$family" = torch ]; then
    awk -v companions="$companions" '/^[^ ]/ { keep = /^#/ || /^torch==/ || $0 ~ companions } keep' torch.txt.new
  else
    awk -v companions="$companions" '
      /^torch==/ { if (!seen++) print $1; skip = 1; next }
      /^[^ ]/ { skip = $0 ~ companions }
      !skip' "$family.txt.new"
  fi >"$family.txt"
  rm "$family.txt.new"
done
