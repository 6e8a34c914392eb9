#!/bin/sh
# chat as one file where no compiled runtime stub could be had: this head, then a gzipped tar of the Deno
# binary and the bundled program. It is unpacked once, into a folder named by its own checksum, which only its owner
# can write; what is there is used only while it is whole.
set -eu

sum=@SUM@
skip=@SKIP@
deno_size=@DENO_SIZE@
deno_sum=@DENO_SUM@
app_size=@APP_SIZE@
app_sum=@APP_SUM@

fail() {
  printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
  exit 1
}

sha256() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum; else shasum -a 256; fi
}

# Whoever else could write here would choose what this user runs.
check_owner() {
  # shellcheck disable=SC2046
  set -- "$1" $(ls -ldn "$1")
  case $2 in
  d????????[tT]*) ;; # as /tmp: nobody can exchange what is another's
  d????w* | d???????w*)
    fail "Others can write in the folder \"$1\", and would choose what you run" "run \"chmod go-w $1\", or set XDG_CACHE_HOME to a folder of your own"
    ;;
  esac
  [ "$4" = "$(id -u)" ] || [ "$4" = 0 ] ||
    fail "The folder \"$1\" belongs to another user (number $4), who would choose what you run" "set XDG_CACHE_HOME to a folder of your own"
}

has_size() {
  [ -f "$1" ] && [ ! -L "$1" ] && [ "$(wc -c <"$1" | tr -d ' ')" = "$2" ]
}

has_sum() {
  found=$(sha256 <"$1")
  [ "${found%% *}" = "$2" ]
}

# The program is small and looked at each time; the runtime's size each time, and its contents once a day and whenever
# it is newer than that look.
is_whole() {
  has_size "$kept/deno" "$deno_size" && has_size "$kept/app.js" "$app_size" && [ -x "$kept/deno" ] || return 1
  has_sum "$kept/app.js" "$app_sum" || return 1
  if [ -f "$kept/checked" ] && ! [ "$kept/deno" -nt "$kept/checked" ] &&
    [ -z "$(find "$kept/checked" -mtime +0 2>/dev/null)" ]; then
    return 0
  fi
  has_sum "$kept/deno" "$deno_sum" || return 1
  # In a shell of its own: ":" is a special builtin, whose failure would end this one.
  (: >"$kept/checked") 2>/dev/null || true
}

# A relative one is ignored, as the standard says.
case ${XDG_CACHE_HOME:-} in
/*) cache=$XDG_CACHE_HOME ;;
*) cache=${HOME:+$HOME/.cache} ;;
esac
[ -n "$cache" ] || fail "There is no place to unpack to: HOME is not set" "set HOME or XDG_CACHE_HOME"
kept="$cache/chat/$sum"

if [ -d "$cache" ]; then check_owner "$cache"; fi
if [ -d "$cache/chat" ]; then check_owner "$cache/chat"; fi
if [ -d "$kept" ]; then check_owner "$kept"; fi

if ! is_whole; then
  mkdir -p "$cache/chat" 2>/dev/null || fail "Cannot make the folder \"$cache/chat\"" "set XDG_CACHE_HOME to a folder that you own"
  chmod 700 "$cache/chat" 2>/dev/null || fail "Cannot write in \"$cache/chat\": it is not yours, or the disk is read-only" "set XDG_CACHE_HOME to a folder of your own"
  fresh=$(mktemp -d "$cache/chat/.fresh-XXXXXX") || fail "Cannot write in \"$cache/chat\"" "free some space, or set XDG_CACHE_HOME"
  trap 'rm -rf "$fresh"' EXIT
  trap 'exit 130' INT TERM
  tail -c "+$((skip + 1))" "$0" >"$fresh/payload" || fail "Cannot unpack into \"$cache/chat\"" "free some space, or set XDG_CACHE_HOME"
  has_sum "$fresh/payload" "$sum" || fail "\"$0\" is damaged: its checksum is wrong" "download it again"
  gzip -dc <"$fresh/payload" | tar -xf - -C "$fresh" || fail "Cannot unpack into \"$cache/chat\"" "free some space, or set XDG_CACHE_HOME"
  rm -f "$fresh/payload"
  chmod 700 "$fresh" "$fresh/deno"
  "$fresh/deno" --version >/dev/null 2>&1 ||
    fail "What is unpacked to \"$cache/chat\" cannot be started there: the disk is mounted noexec, or this file is for another kind of machine" "set XDG_CACHE_HOME to a folder on another disk"
  : >"$fresh/checked"
  # Half of an older copy makes room; who runs from it keeps what she has opened.
  if [ -e "$kept" ] && ! is_whole; then mv "$kept" "$fresh/.gone" 2>/dev/null || true; fi
  # A rename: of two first starts at once, one wins and the other finds it there.
  mv "$fresh" "$kept" 2>/dev/null || is_whole || fail "Cannot unpack into \"$kept\"" "remove it, and try again"
  rm -rf "$fresh" "$kept/${fresh##*/}" "$kept/.gone"
  trap - EXIT INT TERM
  # Versions that nobody has unpacked for a month are not in use any more.
  find "$cache/chat" -mindepth 1 -maxdepth 1 -type d -mtime +30 -exec rm -rf {} + 2>/dev/null || true
fi

DENO_NO_UPDATE_CHECK=1
DENO_DIR="$kept/cache"
CHAT_STARTED_AS=$0
export DENO_NO_UPDATE_CHECK DENO_DIR CHAT_STARTED_AS
# A server in the background must not be stopped for reading its console: the read fails, and is tried again.
if [ "${1:-}" = serve ]; then trap '' TTIN; fi
exec "$kept/deno" run @FLAGS@ "$kept/app.js" "$@"
