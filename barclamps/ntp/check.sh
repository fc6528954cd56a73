#!/bin/sh
# A client has to have a server that it keeps to; a server has to run.
set -eu
. "$CROWBAR_CONTENT/role.sh"
systemctl is-active --quiet chrony.service || { echo "chrony.service does not run" >&2; exit 1; }
chronyc -n sources
[ "$role" = ntp-server ] || chronyc waitsync 30 0 0 2 >/dev/null || { echo "no time server was reached within a minute" >&2; exit 1; }
