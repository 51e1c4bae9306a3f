# What ./quickstart and ./test stand on: steps that show what they do and how long it took, the Python environment, the Docker Engine.
# Sourced. The caller sets WORK, the directory for logs.

set -euo pipefail
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive PIP_DISABLE_PIP_VERSION_CHECK=1

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
VENV=$ROOT/.venv
LOG=
ENGINE_URL=${DOCKER_HOST:-unix:///var/run/docker.sock}
APT_UPDATED=

bold='' dim='' green='' red='' yellow='' plain='' back=''
if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
  bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' yellow=$'\e[33m' plain=$'\e[0m' back=$'\r\e[K'
fi

# --- steps

now() { local t=${EPOCHREALTIME//[.,]/}; echo $((t / 1000)); }
BEGAN=$(now)
STEP='' STEP_BEGAN=0

seconds() { printf '%d.%d s' $(($1 / 1000)) $(($1 % 1000 / 100)); }

# step TITLE - what begins now; on a terminal it is shown while it lasts.
step() {
  STEP=$1 STEP_BEGAN=$(now)
  if [[ -n $back ]]; then printf '  %s·%s %-20s %s…%s' "$yellow" "$plain" "$STEP" "$dim" "$plain"; fi
}

# progress TEXT - more about the step that lasts; only a terminal shows it.
progress() {
  if [[ -n $back ]]; then printf '%s  %s·%s %-20s %s%s …%s' "$back" "$yellow" "$plain" "$STEP" "$dim" "$1" "$plain"; fi
}

# over RESULT - how the step ended.
over() {
  printf '%s  %s✓%s %-20s %-54s %s%8s%s\n' "$back" "$green" "$plain" "$STEP" "$1" "$dim" "$(seconds $(($(now) - STEP_BEGAN)))" "$plain"
  STEP=
}

note() { printf '    %-20s %s%s%s\n' '' "$dim" "$1" "$plain"; }

total() { printf '    %-20s %-54s %s%8s%s\n' '' '' "$bold" "$(seconds $(($(now) - BEGAN)))" "$plain"; }

# fail WHAT-AND-WHAT-TO-DO - one line, and the end.
fail() {
  if [[ -n $STEP ]]; then printf '%s  %s✗%s %s\n' "$back" "$red" "$plain" "$STEP"; fi
  STEP=
  echo "$(basename -- "$0"): $1" >&2
  exit 1
}

# logged COMMAND... - run it with its output in the log.
logged() { { echo "+ $*" && "$@"; } >>"$LOG" 2>&1 </dev/null; }

# last_line LOG - the last one that says something.
last_line() { grep '[A-Za-z]' "$1" 2>/dev/null | tail -n 1 | cut -c 1-300; }

begin() {
  mkdir -p "$WORK" 2>/dev/null && [[ -w $WORK ]] || fail "cannot write into $WORK: run it as the user who owns this directory"
  LOG=$WORK/setup.log
  : >"$LOG" || fail "cannot write $LOG: run it as the user who owns it"
  trap 'status=$?; if [[ -n $STEP ]]; then printf "%s  ✗ %s\n" "$back" "$STEP"; echo "$(basename -- "$0"): stopped unexpectedly; see $LOG" >&2; fi; exit $status' EXIT
  trap 'STEP=; echo >&2; echo "$(basename -- "$0"): interrupted; run it again to go on" >&2; exit 130' INT TERM
}

# --- Debian's packages

is_root() { [[ $(id -u) == 0 ]]; }

# debian FOR PACKAGE... - install what is missing of them.
debian() {
  local purpose=$1
  shift
  command -v apt-get >/dev/null || fail "$purpose: this is not Debian; install by hand what its packages hold: $*"
  is_root || fail "$purpose: an administrator must run: apt-get install $*"
  progress "installing $*"
  if [[ -z $APT_UPDATED ]]; then
    logged apt-get update -q || fail "$purpose: apt-get update failed: $(last_line "$LOG"); see $LOG"
    APT_UPDATED=yes
  fi
  logged apt-get install -q -y --no-install-recommends "$@" || fail "$purpose: apt-get install $* failed: $(last_line "$LOG"); see $LOG"
}

# --- Python

find_python() {
  local name
  for name in ${HIGGINS_PYTHON:-} python3 python3.13 python3.12 python3.11; do
    if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      PYTHON=$(command -v "$name")
      return
    fi
  done
  fail "Python 3.11 or newer is needed: apt-get install python3, or name one: HIGGINS_PYTHON=/path/to/python3 $0"
}

# python_environment WHICH - .venv with what requirements/WHICH.txt locks, made again only when the lock or the Python changes.
python_environment() {
  local lock=$ROOT/requirements/$1.txt how=reused want stamp
  step 'Python environment'
  find_python
  stamp=$VENV/.higgins-$1
  want=$(environment_of "$1")
  if [[ ! -x $VENV/bin/python || $(cat "$stamp" 2>/dev/null) != "$want" ]]; then
    how=brought\ up\ to\ date
    if ! usable_venv; then
      how=created
      # Making it anew would empty what the link leads to, which may be somebody else's.
      if [[ -L $VENV ]]; then fail "$VENV is a link to $(readlink "$VENV"), which does not hold what this checkout needs: remove the link"; fi
      "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || debian 'Python environment' python3-venv python3-pip
      progress 'creating .venv'
      logged "$PYTHON" -m venv --clear "$VENV" || fail "cannot create $VENV: $(last_line "$LOG"); see $LOG"
    fi
    progress "installing what requirements/$1.txt locks"
    logged "$VENV/bin/python" -m pip install -q --no-deps --require-hashes -r "$lock" \
      || fail "the locked packages could not be installed: $(last_line "$LOG"); see $LOG, then run it again"
    own_package
    echo "$want" >"$stamp"
    # What tests need holds all that running needs, at the same versions.
    if [[ $1 == dev ]]; then environment_of run >"$VENV/.higgins-run"; fi
  fi
  over "$("$VENV/bin/python" -c 'import platform; print("Python", platform.python_version())'), $(package_count) packages, $how"
}

# environment_of WHICH - what .venv must hold, in a word.
environment_of() { { "$PYTHON" -VV; echo "$ROOT"; cat "$ROOT/requirements/$1.txt"; } | sha256sum | cut -d' ' -f1; }

usable_venv() {
  [[ -x $VENV/bin/python ]] && "$VENV/bin/python" -c 'import pip' 2>/dev/null \
    && [[ "$("$VENV/bin/python" -VV)" == "$("$PYTHON" -VV)" ]] && head -n 1 "$VENV/bin/pip" 2>/dev/null | grep -qF "$VENV/bin/"
}

# Higgins itself, as `pip install --no-deps -e .` would, but without fetching a build backend: a path and a command.
own_package() {
  local packages
  packages=$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  echo "$ROOT" >"$packages/higgins.pth"
  printf '#!%s\n"""Runs the checkout that this environment belongs to."""\nfrom higgins.cli.main import main\n\nmain()\n' "$VENV/bin/python" >"$VENV/bin/higgins"
  chmod +x "$VENV/bin/higgins"
}

package_count() { "$VENV/bin/python" -c 'from importlib.metadata import distributions; print(len({d.name for d in distributions()}))'; }

# --- Docker

engine() { "$VENV/bin/python" "$ROOT/scripts/engine.py" "$ENGINE_URL" "$@"; }

# docker_engine - one that answers, started and even installed if there is none. Without it and without a way to it: fail.
docker_engine() {
  local version how=runs
  step 'Docker Engine'
  if ! version=$(engine version 2>>"$LOG"); then
    how='started'
    [[ $ENGINE_URL == unix:///var/run/docker.sock ]] || fail "no Docker Engine answers at DOCKER_HOST=$ENGINE_URL: start it, or unset DOCKER_HOST"
    if [[ -S /var/run/docker.sock && ! -w /var/run/docker.sock ]]; then
      fail "you may not use the Docker Engine here: an administrator must run: usermod -aG docker $(id -un); then log in again"
    fi
    is_root || fail "no Docker Engine answers: an administrator must install and start one (apt-get install docker.io) and run: usermod -aG docker $(id -un)"
    if ! command -v dockerd >/dev/null; then
      how='installed and started'
      debian 'Docker Engine' docker.io iptables ca-certificates
    fi
    start_engine
    version=$(engine version 2>>"$LOG") || fail "the Docker Engine was started but does not answer: $(last_line "$WORK/dockerd.log"); see $WORK/dockerd.log"
  fi
  over "$version, $how"
}

start_engine() {
  if engine version >/dev/null 2>&1; then return; fi
  progress starting
  if [[ -d /run/systemd/system ]]; then
    logged systemctl start docker || fail "the Docker Engine does not start: $(last_line "$LOG"); see journalctl -u docker"
  else
    command -v iptables >/dev/null || debian 'Docker Engine' iptables
    setsid dockerd >"$WORK/dockerd.log" 2>&1 </dev/null &
    echo $! >"$WORK/dockerd.pid"
    disown
  fi
  local tries
  for tries in $(seq 150); do
    if engine version >/dev/null 2>&1; then return; fi
    # Another engine may be starting: then ours gives up, and the other one answers soon.
    if [[ $tries -gt 50 && -f $WORK/dockerd.pid ]] && ! kill -0 "$(cat "$WORK/dockerd.pid")" 2>/dev/null; then
      rm -f "$WORK/dockerd.pid"
      fail "the Docker Engine ends at once: $(last_line "$WORK/dockerd.log"); see $WORK/dockerd.log"
    fi
    sleep 0.2
  done
}

# stop_engine - only one that we started; whether there was one.
stop_engine() {
  local pid
  pid=$(cat "$WORK/dockerd.pid" 2>/dev/null) || return 1
  rm -f "$WORK/dockerd.pid"
  is_process "$pid" dockerd || return 1
  end_process "$pid" 20
}

# --- processes

# is_process PID NAME - it runs, and its command line names it: pids are used again.
is_process() { [[ -n $1 && -r /proc/$1/cmdline ]] && tr '\0' ' ' <"/proc/$1/cmdline" | grep -qF -- "$2"; }

# end_process PID SECONDS - ask it to end, then kill it.
end_process() {
  local tries
  kill "$1" 2>/dev/null || return 0
  for tries in $(seq $(($2 * 10))); do
    kill -0 "$1" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -9 "$1" 2>/dev/null || true
}

# --- networks

# network_programs FOR - what networks that end at this machine are made with; only root installs what is missing of it.
network_programs() {
  local missing=()
  command -v ip >/dev/null || missing+=(iproute2)
  command -v nft >/dev/null || missing+=(nftables)
  # The package dnsmasq would start a service, which nobody needs here.
  command -v dnsmasq >/dev/null || missing+=(dnsmasq-base)
  if [[ ${#missing[@]} -gt 0 ]]; then debian "$1" "${missing[@]}"; fi
}

# --- busybox

# static_busybox - print the path of a static busybox, fetched as Debian's package if need be; nothing is installed.
static_busybox() {
  local found
  for found in /bin/busybox /usr/bin/busybox "$WORK/busybox/bin/busybox" "$WORK/busybox/usr/bin/busybox"; do
    # ldd fails on what needs no libraries.
    if [[ -x $found ]] && ! ldd "$found" >/dev/null 2>&1; then
      echo "$found"
      return
    fi
  done
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
  mkdir -p "$WORK/busybox"
  if is_root && [[ -z $APT_UPDATED ]]; then logged apt-get update -q || return 1; fi
  (cd "$WORK/busybox" && logged apt-get download -q busybox-static && dpkg-deb -x busybox-static_*.deb . && rm -f busybox-static_*.deb) || return 1
  for found in "$WORK/busybox/bin/busybox" "$WORK/busybox/usr/bin/busybox"; do
    if [[ -x $found ]]; then
      echo "$found"
      return
    fi
  done
  return 1
}
