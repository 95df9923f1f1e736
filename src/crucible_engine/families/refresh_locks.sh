#!/usr/bin/env bash
# Makes the locks anew from the .in files: `make locks`, or `refresh_locks.sh FOLDER...` for some of them.
# With UPGRADE= in the environment the versions stay as they are, and only what is new is resolved.
#
# A lock holds for Python 3.10 to 3.13 and any platform, with the hash of every file that the registry has of each
# package. It names torch's release but neither its build nor the CUDA packages: those follow from the build that fits
# the machine where the environment is created. torch_lock.txt has the hashes of the registry's own build and its companions.
set -euo pipefail
cd "$(dirname "$0")"
uv=${UV:-uv}
upgrade=${UPGRADE---upgrade}
companions='^(nvidia-(cu|nccl|nvjitlink|nvshmem|nvtx)|cuda-|triton)'

compile() {
  # A folder of wheels on this machine would add files that nobody else has.
  env -u UV_FIND_LINKS -u UV_TORCH_BACKEND "$uv" pip compile --quiet --universal --python-version 3.10 --no-annotate \
    --generate-hashes ${upgrade:+"$upgrade"} --override lock_overrides.in ${2:+--override "$2"} --custom-compile-command "make locks" \
    "$1.in" --output-file "$1.txt.new"
}

for input in torch_lock.in */lock.in ../tasks/*/lock.in; do
  lock=${input%.in}
  name=$(basename "$(dirname "$input")")
  if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
  # uv keeps the versions that it finds in the file that it writes.
  if [ -z "$upgrade" ] && [ -e "$lock.txt" ]; then cp "$lock.txt" "$lock.txt.new"; fi
  # Pins of a package that its newest release outgrew, beside its family's lock.in.
  own=$(dirname "$lock")/lock_overrides.in
  compile "$lock" "$([ "$(dirname "$lock")" = . ] || [ ! -e "$own" ] || echo "$own")"
  if [ "$lock" = torch_lock ]; then
    awk -v companions="$companions" '/^[^ ]/ { keep = /^#/ || /^torch==/ || $0 ~ companions } keep' "$lock.txt.new"
  else
    awk -v companions="$companions" '
      /^torch==/ { if (!seen++) print $1; skip = 1; next }
      /^[^ ]/ { skip = $0 ~ companions }
      !skip' "$lock.txt.new"
  fi >"$lock.txt"
  rm "$lock.txt.new"
done
