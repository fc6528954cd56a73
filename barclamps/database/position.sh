#!/bin/sh
# Says how far the data of this member goes. A server that is in no cluster is stopped for it.
set -eu
. ./galera.sh
primary=false
seqno=-1
uuid=$(own_uuid)
if is_member; then
  primary=true
else
  systemctl stop mariadb
  seqno=$(sed -n 's/^seqno: *//p' "$DATA/grastate.dat" 2>/dev/null || true)
  if [ "${seqno:--1}" = -1 ] && [ -n "$uuid" ]; then
    # It did not end by itself: the storage engine knows. Prints --wsrep_start_position=UUID:SEQNO.
    found=$(galera_recovery | tr ' ' '\n' | sed -n 's/^--wsrep_start_position=//p' | head -n 1 | cut -d, -f1)
    [ -n "$found" ] || die "the position of this member could not be found out: see galera_recovery"
    uuid=${found%:*}
    seqno=${found##*:}
  fi
fi
printf '{"node":"%s","uuid":"%s","seqno":%s,"primary":%s}' "$(crowbar-get crowbar.node.name)" "$uuid" "${seqno:--1}" "$primary" | crowbar-provide position --json
