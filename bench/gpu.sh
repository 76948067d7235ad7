#!/usr/bin/env bash
# Checks and times the engine on a machine with an NVIDIA GPU, beside PyTorch where torch is installed. Needs no network.
#
#   bench/gpu.sh                    kernel tests, engine benches, PyTorch benches, table of ratios
#   bench/gpu.sh --try              the same with tiny shapes, on any adapter, to see that all of it runs here; records go
#                                   to a temporary file
#
# Parts, each at most 8 minutes
#   a  kernel cases (tests) and `verify` on this adapter
#   b  products and attention at the shapes of ViT-S, B, L and H, and every op, beside PyTorch
#   c  whole ViTs: forward and a step with LoRA, images a second, beside PyTorch with timm and peft
#   d  SEAL end to end as `train` runs it, the frozen part computed or kept; the same without the host's part; profiles of
#      embedding and of a step
#   e  memory of a step beside its plans; start of a process with an empty and a filled shader cache
#
# Options
#   --part LETTER     only this part, may be repeated (default all)
#   --try             accept a software adapter, and PyTorch on the CPU there; few tests and tiny sizes on any
#   --skip-tests      no kernel tests
#   --skip-bench      no engine benches
#   --skip-torch      no PyTorch benches
#   --tests PATH      test file or folder, may be repeated (default tests/ops)
#   --bench PATH      bench files of part b, may be repeated (default bench/vit_bench.ts, bench/ops_bench.ts)
#   --out FILE        JSON lines are appended here (default bench/results/gpu.jsonl)
#   --timeout N       seconds for each part (default 480)
#
# Offline kit: put what the machine lacks into .deno/ at the root of the checkout
#   .deno/deno                   the binary; or packed, deno.xz or deno.gz, or deno's release .zip or PyPI .whl
#   .deno/libvulkan1*.deb        the Vulkan loader, from `apt-get download libvulkan1`; used without installing
# Environment: VK_DRIVER_FILES or VK_ICD_FILENAMES choose the driver and are kept when set; PYTHON names the Python with
# torch (default python3); COMMIT names the commit where the checkout has no .git.
#
# Exit status: 0 all done, 1 a test or bench failed, 2 wrong usage, 6 no deno, loader or GPU adapter.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

try=0 skip_tests=0 skip_bench=0 skip_torch=0 limit=480 parts="" out="" tests=() benches=()
usage() { sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }
need() { [ $# -ge 2 ] || { echo "Cannot read options: $1 wants a value" >&2; exit 2; }; }
while [ $# -gt 0 ]; do
  case "$1" in
    --try) try=1 ;;
    --part)
      need "$@"
      case "$2" in a | b | c | d | e) parts=$parts$2 ;; *) echo "Cannot read options: --part is $2, wanted a, b, c, d or e" >&2; exit 2 ;; esac
      shift
      ;;
    --skip-tests) skip_tests=1 ;;
    --skip-bench) skip_bench=1 ;;
    --skip-torch) skip_torch=1 ;;
    --tests) need "$@"; tests+=("$2"); shift ;;
    --bench) need "$@"; benches+=("$2"); shift ;;
    --out) need "$@"; out=$2; shift ;;
    --timeout) need "$@"; limit=$2; shift ;;
    -h | --help) usage; exit 0 ;;
    *) echo "Cannot read options: $1 is unknown; see --help" >&2; exit 2 ;;
  esac
  shift
done

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
say() { printf '%s\n' "$*" >&2; }
fail() { say "$1"; [ -z "${2:-}" ] || say "  $2"; exit 6; }
begun=$SECONDS
# What is left of the part's time, or of a share of it in hundredths; one second at least.
left() { local rest=$((limit * ${1:-100} / 100 - SECONDS + begun)); [ "$rest" -gt 0 ] && echo "$rest" || echo 1; }
share=100
bounded() { if command -v timeout >/dev/null; then timeout "$(left $share)" "$@"; else "$@"; fi; }
part() { case "${parts:-abcde}" in *"$1"*) begun=$SECONDS; say "part     $1" ;; *) return 1 ;; esac; }

# ---- deno
find_deno() {
  local kit
  if command -v deno; then return; fi
  if [ -x .deno/deno ]; then echo "$PWD/.deno/deno"; return; fi
  for kit in .deno/deno.xz .deno/deno.gz .deno/deno*.zip .deno/deno*.whl; do
    [ -f "$kit" ] || continue
    case "$kit" in
      *.xz) xz -dc "$kit" >"$tmp/deno" ;;
      *.gz) gzip -dc "$kit" >"$tmp/deno" ;;
      *) python3 - "$kit" "$tmp/deno" <<'PY' ;;
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    name = next(n for n in z.namelist() if n.rsplit("/", 1)[-1] == "deno")
    open(sys.argv[2], "wb").write(z.read(name))
PY
    esac || return 1
    chmod +x "$tmp/deno" && echo "$tmp/deno"
    return
  done
  return 1
}
DENO=$(find_deno) || fail "Cannot find deno: neither on PATH nor as .deno/deno" \
  "Put the binary (or deno.xz, the release .zip or the PyPI .whl) into .deno/, or: curl -fsSL https://deno.land/install.sh | sh"
"$DENO" --version >/dev/null || fail "Cannot run deno: $DENO does not start here" "Its build may not fit this processor or C library"
# The update check and dependency look-ups would wait for a network.
export DENO_NO_UPDATE_CHECK=1 NO_COLOR=1

# ---- Vulkan loader and driver (Linux; elsewhere Deno uses the system's own interface)
# Reads all of the list: a reader that leaves early would end ldconfig by a signal, which counts as failure.
has_library() { { ldconfig -p || /sbin/ldconfig -p; } 2>/dev/null | grep "$1" >/dev/null; }
if [ "$(uname -s)" = Linux ]; then
  export DENO_WEBGPU_BACKEND=${DENO_WEBGPU_BACKEND:-vulkan}
  [ -n "${XDG_RUNTIME_DIR:-}" ] || export XDG_RUNTIME_DIR=$tmp
  if ! has_library 'libvulkan\.so\.1'; then
    for deb in .deno/*.deb; do
      [ -f "$deb" ] && dpkg -x "$deb" "$tmp/root"
    done
    loader=$(find "$tmp" ${LD_LIBRARY_PATH:+${LD_LIBRARY_PATH//:/ }} -name 'libvulkan.so.1' 2>/dev/null | head -n 1)
    [ -n "$loader" ] || fail "Cannot find the Vulkan loader: libvulkan.so.1 is not installed" \
      "As root: apt-get install libvulkan1 (or dnf install vulkan-loader). Offline: apt-get download libvulkan1 elsewhere, put the .deb into .deno/"
    export LD_LIBRARY_PATH=$(dirname "$loader")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    say "loader   $loader"
  fi
  if [ -z "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ]; then
    # Name NVIDIA's driver, so that a software driver beside it cannot be chosen.
    for icd in {/etc,/usr/share,/usr/local/share,/usr/local/nvidia/share}/vulkan/icd.d/nvidia_icd*.json; do
      [ -f "$icd" ] && export VK_DRIVER_FILES=$icd && break
    done
    # Containers often mount the driver without its description.
    if [ -z "${VK_DRIVER_FILES:-}" ]; then
      for lib in libGLX_nvidia.so.0 libEGL_nvidia.so.0; do
        has_library "$lib" || continue
        export VK_DRIVER_FILES=$tmp/nvidia_icd.json
        printf '{"file_format_version":"1.0.0","ICD":{"library_path":"%s","api_version":"1.3.0"}}\n' "$lib" >"$VK_DRIVER_FILES"
        break
      done
    fi
  fi
  say "driver   ${VK_DRIVER_FILES:-${VK_ICD_FILENAMES:-chosen by the loader}}"
fi

# ---- adapter
# What benches need: they write records into $tmp, reach nothing, and ask git and the driver for versions.
allow=(--no-prompt --allow-read --allow-env --allow-sys --allow-write="$tmp" --allow-run=git,nvidia-smi)
probe=$("$DENO" run --no-config "${allow[@]}" bench/gpu_probe.ts 2>"$tmp/probe.err")
case $? in
  0) ;;
  3) [ $try = 1 ] || fail "Cannot bench on a software adapter: $probe" \
    "Install NVIDIA's Vulkan driver; in containers set NVIDIA_DRIVER_CAPABILITIES=all; or pass --try to try the script" ;;
  *) cat "$tmp/probe.err" >&2
    fail "Cannot find a GPU adapter: the driver offers none" "Check nvidia-smi; in containers set NVIDIA_DRIVER_CAPABILITIES=all (graphics is needed, compute is not enough), or name the driver: VK_DRIVER_FILES=/path/nvidia_icd.json" ;;
esac
say "adapter  $probe"

status=0
json_string() { printf '"%s"' "$(printf '%s' "${1:-}" | tr -d '\n\r\t' | sed 's/\\/\\\\/g; s/"/\\"/g')"; }

# Where records go: those of a trial do not belong among the GPU's.
if [ -z "$out" ]; then
  out=bench/results/gpu.jsonl
  [ $try = 0 ] || out=${TMPDIR:-/tmp}/gpu_try.jsonl
fi
mkdir -p "$(dirname "$out")"
commit=${COMMIT:-$(git rev-parse HEAD 2>/dev/null || echo unknown)}
dirty=false
[ -z "$(git status --porcelain --untracked-files=no 2>/dev/null)" ] || dirty=true
gpu=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -n 1)
# Where a record comes from.
source="\"commit\":$(json_string "$commit"),\"dirty\":$dirty,\"gpu\":$(json_string "$gpu"),\"device\":$probe"
: >"$tmp/engine.jsonl"
: >"$tmp/torch.jsonl"
run() { TMPDIR=$tmp bounded "$DENO" run "${allow[@]}" --no-check --cached-only "$@"; }
# Runs what prints a record, and appends it as one line.
record() {
  say "record   $*"
  if run "$@" >"$tmp/record.json" 2>"$tmp/record.err"; then
    { tr -d '\n' <"$tmp/record.json"; echo; } >>"$out"
  else
    status=1
    tail -n 20 "$tmp/record.err" >&2
  fi
}
PYTHON=${PYTHON:-python3}
torch=$("$PYTHON" -c 'import torch; print(torch.__version__, "cuda" if torch.cuda.is_available() else "cpu")' 2>/dev/null) || torch=""
# Runs a PyTorch bench where PyTorch and what else it needs are there.
with_torch() {
  local script=$1 needs=$2
  [ $skip_torch = 0 ] || return 0
  if ! "$PYTHON" -c "import $needs" 2>/dev/null; then
    say "torch    $script left out: $PYTHON does not import $needs; set PYTHON to add its rows"
    return 0
  fi
  case "$torch" in
    *cuda) say "torch    $script, $torch"; bounded "$PYTHON" "$script" >>"$tmp/torch.jsonl" || status=1 ;;
    *) if [ $try = 1 ]; then
        say "torch    $script, $torch"; bounded "$PYTHON" "$script" --cpu >>"$tmp/torch.jsonl" || status=1
      else
        say "torch    $script left out: $torch finds no CUDA device"
      fi ;;
  esac
}
# Cases of the next bench, as its --only takes them.
only=()
bench() {
  say "bench    $* ${only[*]-}"
  rm -rf "$tmp/bench"
  mkdir -p "$tmp/bench"
  if ! bounded "$DENO" bench "${allow[@]}" --no-check --cached-only "$@" -- --record "$tmp/bench" ${only[@]+"${only[@]}"} >"$tmp/bench.log" 2>&1; then
    status=1
    tail -n 30 "$tmp/bench.log" >&2
  fi
  cat "$tmp"/bench/*.jsonl >>"$tmp/engine.jsonl" 2>/dev/null || true
}

# ---- a: kernel cases and verify
tests_summary="not run"
if part a; then
  if [ $skip_tests = 0 ]; then
    [ ${#tests[@]} -gt 0 ] || tests=(tests/ops)
    found=$(find "${tests[@]}" -name '*_test.ts' 2>/dev/null | head -n 1)
    if [ -z "$found" ]; then
      tests_summary="none found"
      say "tests    none in ${tests[*]}"
    else
      say "tests    ${tests[*]}"
      # verify follows in the same part.
      share=65
      few=()
      [ $try = 0 ] || few=(--filter layernorm)
      # Tests write folders of their own and start this program, as `deno task test` permits.
      TMPDIR=$tmp bounded "$DENO" test --no-prompt --allow-read --allow-env --allow-sys --allow-write="$tmp",tests/.coverage.json \
        --allow-net=127.0.0.1,localhost --allow-run="$DENO",env,sh --no-check --cached-only ${few[@]+"${few[@]}"} "${tests[@]}" >"$tmp/tests.log" 2>&1
      code=$?
      share=100
      tests_summary=$(grep -E '\| *[0-9]+ passed' "$tmp/tests.log" | tail -n 1)
      [ $code -ne 124 ] || tests_summary="stopped after $((limit * 65 / 100)) s"
      [ -n "$tests_summary" ] || tests_summary="exit status $code"
      if [ $code -ne 0 ]; then
        status=1
        tail -n 60 "$tmp/tests.log" >&2
      fi
      say "         $tests_summary"
      echo "{\"case\":\"kernel cases, ${tests[*]}${few[*]+ ${few[*]}}\",\"result\":$(json_string "$tests_summary"),$source}" >>"$out"
    fi
  fi
  small=()
  [ $try = 0 ] || small=(--encoder 'random:vit_small_patch16_224?dim=32&depth=1&heads=2&img=32' --batch-size 4 --genes 64)
  say "verify   ${small[*]-}"
  if run src/cli/main.ts verify --quiet --out "$tmp/verify.json" ${small[@]+"${small[@]}"} >"$tmp/verify.log" 2>&1; then :; else
    status=1
    tail -n 30 "$tmp/verify.log" >&2
  fi
  [ ! -s "$tmp/verify.json" ] || { tr -d '\n' <"$tmp/verify.json"; echo; } >>"$out"
fi

# ---- b: products and attention, and every op
if part b; then
  if [ $skip_bench = 0 ]; then
    [ ${#benches[@]} -gt 0 ] || benches=(bench/vit_bench.ts bench/ops_bench.ts)
    [ $try = 0 ] || only=(--only attention)
    bench "${benches[0]}"
    only=()
  fi
  with_torch tests/python/torch_bench.py torch
  [ $try = 0 ] || only=(--only layernorm)
  if [ $skip_bench = 0 ]; then for file in "${benches[@]:1}"; do bench "$file"; done; fi
  only=()
fi

# ---- c: whole ViTs
if part c; then
  [ $skip_bench = 1 ] || bench bench/vit_step_bench.ts
  with_torch tests/python/torch_vit.py torch,timm,peft
fi

# ---- d: SEAL end to end
if part d && [ $skip_bench = 0 ]; then
  tiny='random:vit_small_patch16_224?dim=32&depth=2&heads=2&img=32'
  if [ $try = 1 ]; then
    record bench/methods/seal/epoch.ts --encoder "$tiny" --profile smoke --batch 16 --epochs 3 --set n_train_genes=64 --set panel_genes=8
    record bench/methods/seal/stem_cache.ts --encoder "$tiny" --pairs 8 --batch 4 --epochs 1 --dry
    sizes=(--encoder "$tiny" --batch 8 --runs 2)
  else
    record bench/methods/seal/epoch.ts --encoder random:vit_base_patch16_224 --batch 256 --epochs 4
    record bench/methods/seal/stem_cache.ts --encoder random:vit_base_patch16_224 --pairs 2048 --batch 256 --epochs 3 --dry
    sizes=(--encoder vit_base_patch16_224 --batch 256 --micro 64 --genes 512)
  fi
  mkdir -p "$tmp/profile"
  say "profile  ${sizes[*]}"
  if run bench/profile/main.ts "${sizes[@]}" --record "$tmp/profile" >"$tmp/profile.txt" 2>&1; then
    cat "$tmp/profile.txt" >&2
    cat "$tmp/profile/profile.jsonl" >>"$out"
  else
    status=1
    tail -n 20 "$tmp/profile.txt" >&2
  fi
fi

# ---- e: memory and start, with an empty shader cache and with that of the run before
if part e && [ $skip_bench = 0 ]; then
  sizes=(--encoder random:vit_base_patch16_224 --batch 64)
  [ $try = 0 ] || sizes=(--encoder 'random:vit_small_patch16_224?dim=32&depth=2&heads=2&img=32' --batch 4)
  for cache in empty filled; do
    say "shaders  $cache cache"
    mkdir -p "$tmp/shaders"
    MESA_SHADER_CACHE_DIR=$tmp/shaders __GL_SHADER_DISK_CACHE_PATH=$tmp/shaders \
      record bench/memory.ts "${sizes[@]}" --shaders "$cache"
  done
fi

# ---- table and records
meta="{$source,\"torch\":$(json_string "$torch"),\"tests\":$(json_string "$tests_summary")}"
"$DENO" run --no-config --no-prompt --allow-read --allow-write="$(dirname "$out")" bench/gpu_table.ts --engine "$tmp/engine.jsonl" --torch "$tmp/torch.jsonl" --meta "$meta" --out "$out" || status=1
[ ! -f "$out" ] || say "records  $out"
exit $status
