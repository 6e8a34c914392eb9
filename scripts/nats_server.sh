#!/bin/sh
# Puts the NATS server that the cluster's tests run with into .nats/ (git-ignored): Debian's stable ones are too old (they
# lack sync_interval: always, or the fixes of 2.11), so it comes from Debian's sid, checked against Debian's keys, with
# package lists of its own: nothing of this machine's changes.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
kept="$root/.nats"
if [ -x "$kept/nats-server" ]; then exit 0; fi

site=$(apt-get indextargets --format '$(SITE)' | grep -v security | head -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$kept"
printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s sid main\n' "$site" >"$work/sid.list"
apt() {
  apt-get -qq -o "Dir::Etc::sourcelist=$work/sid.list" -o Dir::Etc::sourceparts=- \
    -o "Dir::State::lists=$work/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
    -o APT::Sandbox::User=root "$@"
}
apt update
(cd "$work" && apt download nats-server/sid)
dpkg -x "$work"/nats-server_*.deb "$work/unpacked"
mv "$work/unpacked/usr/sbin/nats-server" "$kept/nats-server"
