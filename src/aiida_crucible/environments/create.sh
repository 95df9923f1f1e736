say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $1"; exit "${2:-1}"; }

# A uv that knows torch's builds: the one given, the one installed here, or one of our own.
find_uv() {
  local candidate
  for candidate in "$uv" uv "$HOME/.local/bin/uv" "$root/.uv/bin/uv"; do
    if [ -n "$candidate" ] && "$candidate" pip install --help 2>/dev/null | grep -q -e --torch-backend; then
      uv=$candidate
      return
    fi
  done
  say "installing uv into $root/.uv"
  rm -rf "$root/.uv"
  python3 -m venv "$root/.uv" >&2 || fail "there is neither uv nor a python3 with venv and pip here: install uv first"
  "$root/.uv/bin/python" -m pip install --quiet 'uv>=0.8' >&2 || fail "pip cannot install uv"
  uv=$root/.uv/bin/uv
}

has_driver() { [ -e /proc/driver/nvidia/version ] || command -v nvidia-smi >/dev/null 2>&1; }

# Sets torch_index to uv's options for the index that has the wanted build; the plan of the installation is in plan.txt.
choose_torch_index() {
  local backends backend
  case $build in
    cpu) backends="cpu plain" ;;
    cuda) backends=$(has_driver && echo "auto plain" || echo plain) ;;
    *) backends=$build ;;
  esac
  # A choice made in uv's own configuration comes first.
  [ -z "${UV_TORCH_BACKEND:-}" ] || backends=plain
  for backend in $backends; do
    if [ "$backend" = plain ]; then
      torch_index=()
      plan_torch && return
    else
      # One quick attempt: where torch's index cannot be reached, the plain one is asked instead.
      torch_index=(--torch-backend "$backend")
      UV_HTTP_RETRIES=0 UV_HTTP_TIMEOUT=5 UV_HTTP_CONNECT_TIMEOUT=4 plan_torch && return
      grep -qiE 'failed to fetch|sending request|timed out|connectivity is disabled' "$work/plan.txt" || break
      [ "$backend" = "$backends" ] || say "torch's own index cannot be reached: using the plain index"
    fi
  done
  cat "$work/plan.txt" >&2
  fail "uv finds no $torch for build '$build' here"
}

plan_torch() {
  "$uv" pip install --dry-run --python "$work/bin/python" "${torch_index[@]+"${torch_index[@]}"}" "$torch" \
    >"$work/plan.txt" 2>&1
}

refuse_unexpected_cuda() {
  local packages
  packages=$(sed -nE '/nvidia-ml-py/d; s/^ \+ ((nvidia-|cuda-|triton).*)$/\1/p' "$work/plan.txt" | tr '\n' ' ')
  if [ -z "$packages" ] || [ "$build" != cpu ] || has_driver || [ "$accept_cuda" = yes ]; then return 0; fi
  fail "this machine has no GPU, and the only $torch within reach would download CUDA, several gigabytes (${packages% }): agree with --yes or --torch cuda, choose another release with --torch VERSION, or name a folder with a CPU wheel in UV_FIND_LINKS" 12
}

# Written last and renamed into place: a folder of the final name is always complete.
finish() {
  "$work/bin/python" - "$work" "$target" "$family" "$digest" "$source_digest" <<'PYTHON' || fail "$target cannot be completed"
import json, os, platform, sys
from importlib.metadata import distributions

work, target, family, digest, source = sys.argv[1:]
packages = {item.metadata["Name"].lower().replace("_", "-"): item.version for item in distributions()}
size = sum(os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(work) for name in names)
content = {
    "family": family,
    "lock": digest,
    **({"source": source} if source else {}),
    "python": platform.python_version(),
    "torch": packages.get("torch"),
    "megabytes": round(size / 1e6),
    "packages": dict(sorted(packages.items())),
}
with open(os.path.join(work, "crucible.json"), "w") as stream:
    json.dump(content, stream, indent=1)
    stream.flush()
    os.fsync(stream.fileno())
try:
    os.rename(work, target)
except OSError:
    if not os.path.exists(os.path.join(target, "crucible.json")):  # else another creation was quicker
        raise
PYTHON
}

is_complete() { [ -f "$target/crucible.json" ] && [ -x "$target/bin/python" ]; }

create() {
  rm -rf "$target"
  find_uv
  say "creating $target"
  "$uv" venv --quiet --relocatable --python "$python" "$work" >&2 || fail "uv makes no environment with Python $python"
  printf '%s\n' "$lock" >"$work/lock.txt"
  if [ -n "$torch" ]; then
    choose_torch_index
    refuse_unexpected_cuda
  fi
  install_locked lock.txt || fail "uv cannot install the packages of $family"
  [ -z "$torch" ] || install_torch || fail "uv cannot install $torch"
  [ -z "$source" ] || install_source
  finish
}

# Every file has to have one of the hashes that are in the lock.
install_locked() {
  "$uv" pip install --python "$work/bin/python" --no-deps --require-hashes --requirement "$work/$1" --compile-bytecode >&2
}

# The lock has the hashes of the registry's own build. Another one comes from torch's index, which states them itself, or
# from a folder that the user has named.
install_torch() {
  local planned origin="torch's own index"
  planned=$(sed -nE 's/^ \+ (torch==[^ ]+).*$/\1/p' "$work/plan.txt")
  if [ -n "$torch_lock" ] && [ "${#torch_index[@]}" -eq 0 ] && [ "$planned" = "$torch" ]; then
    printf '%s\n' "$torch_lock" >"$work/torch.txt"
    install_locked torch.txt
    return
  fi
  [ "${#torch_index[@]}" -gt 0 ] || origin=${UV_FIND_LINKS:-the index}
  say "${planned:-$torch} is another build than the registry's, and the lock has no hash of it: it is as good as $origin"
  # What is installed stays where torch agrees with it; torch's own CUDA packages come with it.
  "$uv" pip install --python "$work/bin/python" "${torch_index[@]+"${torch_index[@]}"}" "$torch" --compile-bytecode >&2
}

# Built from a copy, since a build writes into the folder; what was copied has to be what the environment is named after.
install_source() {
  local copy=$work/source
  say "building $package from $source"
  if [ -d "$source" ]; then
    cp -R "$source" "$copy" && rm -rf "$copy/.git" || fail "$source cannot be copied"
  else
    copy=$work/$(basename "$source")
    cp "$source" "$copy" || fail "$source cannot be copied"
  fi
  "$work/bin/python" -c "$source_reader" "$copy" "$package" | grep -qx "digest=$source_digest" ||
    fail "$source has changed since its environment was named: create it anew"
  # A wheel that uv keeps may be of another source that lay in the same place.
  (cd "$work" && "$uv" pip install --python "$work/bin/python" --no-deps --no-build-isolation --no-cache \
    "./$(basename "$copy")" --compile-bytecode >&2) ||
    fail "$package cannot be built from $source (it may need a C++ compiler, such as g++)"
  rm -rf "$copy"
}

target=$root/$folder
work=$root/.$folder.$$
if ! is_complete; then
  mkdir -p "$root" || fail "$root cannot be made"
  if command -v flock >/dev/null 2>&1; then
    exec 9>"$root/.$folder.lock"
    flock --nonblock 9 || { say "another process is creating $folder: waiting for it"; flock 9 || true; }
    # Nobody else is at work, so that these were left by an interrupted creation.
    rm -rf "$root/.$folder".[0-9]*
  fi
  trap 'rm -rf "$work"' EXIT
  is_complete || create
fi
printf '%s\n' "$target/bin/python"
