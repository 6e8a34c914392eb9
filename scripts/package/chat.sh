#!/bin/sh
# chat as Debian has it: Deno and the bundled program lie beside each other, and nothing is unpacked.
DENO_NO_UPDATE_CHECK=1
CHAT_STARTED_AS=$0
export DENO_NO_UPDATE_CHECK CHAT_STARTED_AS
# A server in the background must not be stopped for reading its console: the read fails, and is tried again.
if [ "${1:-}" = serve ]; then trap '' TTIN; fi
exec /usr/lib/chat/deno run @FLAGS@ /usr/lib/chat/app.js "$@"
