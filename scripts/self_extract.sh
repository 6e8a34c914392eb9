#!/bin/sh
# chat as one file where no compiled runtime stub could be had: this head, then a gzipped tar of the Deno
# binary and the bundled program. It is unpacked once, into a folder named by its own checksum.
set -eu

sum=@SUM@
skip=@SKIP@

fail() {
  printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
  exit 1
}

cache=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}
[ -n "$cache" ] || fail "There is no place to unpack to: HOME is not set" "set HOME or XDG_CACHE_HOME"
kept="$cache/chat/$sum"

if [ ! -x "$kept/deno" ] || [ ! -f "$kept/app.js" ]; then
  mkdir -p "$cache/chat" 2>/dev/null || fail "Cannot make the folder \"$cache/chat\"" "set XDG_CACHE_HOME to a folder that you own"
  chmod 700 "$cache/chat"
  fresh=$(mktemp -d "$cache/chat/.fresh-XXXXXX") || fail "Cannot write in \"$cache/chat\"" "free some space, or set XDG_CACHE_HOME"
  trap 'rm -rf "$fresh"' EXIT
  trap 'exit 130' INT TERM
  tail -c "+$((skip + 1))" "$0" >"$fresh/payload" || fail "Cannot unpack into \"$cache/chat\"" "free some space, or set XDG_CACHE_HOME"
  if command -v sha256sum >/dev/null 2>&1; then
    found=$(sha256sum <"$fresh/payload")
  else
    found=$(shasum -a 256 <"$fresh/payload")
  fi
  [ "${found%% *}" = "$sum" ] || fail "\"$0\" is damaged: its checksum is wrong" "download it again"
  gzip -dc <"$fresh/payload" | tar -xf - -C "$fresh" || fail "Cannot unpack into \"$cache/chat\"" "free some space, or set XDG_CACHE_HOME"
  rm -f "$fresh/payload"
  chmod 700 "$fresh" "$fresh/deno"
  # A rename: of two first starts at once, one wins and the other finds it there.
  mv "$fresh" "$kept" 2>/dev/null || [ -x "$kept/deno" ] || fail "Cannot unpack into \"$kept\"" "remove it, and try again"
  rm -rf "$fresh" "$kept/${fresh##*/}"
  trap - EXIT INT TERM
  # Versions that nobody has unpacked for a month are not in use any more.
  find "$cache/chat" -mindepth 1 -maxdepth 1 -type d -mtime +30 -exec rm -rf {} + 2>/dev/null || true
fi

DENO_NO_UPDATE_CHECK=1
CHAT_STARTED_AS=$0
export DENO_NO_UPDATE_CHECK CHAT_STARTED_AS
# A server in the background must not be stopped for reading its console: the read fails, and is tried again.
if [ "${1:-}" = serve ]; then trap '' TTIN; fi
exec "$kept/deno" run --quiet --no-config --no-lock --no-remote --no-npm --no-prompt @PERMISSIONS@ "$kept/app.js" "$@"
