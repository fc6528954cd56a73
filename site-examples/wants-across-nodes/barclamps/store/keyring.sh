#!/bin/sh
# Made once; later runs tell the same key again.
set -eu
install -d -m 0700 /var/lib/store
[ -s /var/lib/store/key ] || (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >/var/lib/store/key)
crowbar-provide key "$(cat /var/lib/store/key)"
crowbar-provide bits --json 128
