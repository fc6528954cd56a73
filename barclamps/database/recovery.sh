#!/bin/sh
# Starts a cluster again of which all members were off: first the one with the most data, then the others.
set -eu
. ./galera.sh
me=$(crowbar-get crowbar.node.name)
port=$(sed -n "s/^port *= *//p" "$SERVER_CNF")
join=900
best=
most=-1
uuids=
running=false
at=0
while crowbar-get --has "wants.positions.$at.node"; do
  node=$(crowbar-get "wants.positions.$at.node")
  uuid=$(crowbar-get "wants.positions.$at.uuid")
  seqno=$(crowbar-get "wants.positions.$at.seqno")
  echo "$node has $uuid:$seqno"
  [ "$(crowbar-get "wants.positions.$at.primary")" = false ] || running=true
  if [ -n "$uuid" ]; then
    case " $uuids " in *" $uuid "*) ;; *) uuids="$uuids $uuid" ;; esac
    if [ "$seqno" -gt "$most" ]; then
      most=$seqno
      best=$node
    fi
  fi
  at=$((at + 1))
done
if is_member; then
  crowbar-unchanged
  exit 0
fi
[ -n "$best" ] || [ "$running" = true ] || die "none of the members has data of a cluster"
[ "$(echo $uuids | wc -w)" -le 1 ] || die "the members have data of different clusters:$uuids. Bind database-recovery to those of one of them only"
own=$(sed -n 's/^wsrep_node_address *= *//p' "$SERVER_CNF")
peers=$(sed -n 's|^wsrep_cluster_address *= *gcomm://||p' "$LIVE_CNF" | tr , '\n' | grep -Fxv "$own" || true)
primary=$(primary_among_peers "$port" $peers)
if [ -z "$primary" ] && [ "$running" = false ] && [ "$best" = "$me" ]; then
  echo "this member goes furthest: it starts the cluster"
  systemctl stop mariadb
  # It has been decided who begins: what members of before this one remembers counts no more.
  rm -f "$DATA/gvwstate.dat"
  sed -i 's/^safe_to_bootstrap:.*/safe_to_bootstrap: 1/' "$DATA/grastate.dat"
  galera_new_cluster || {
    journalctl --unit mariadb --no-pager --lines 30 >&2 || true
    die "mariadb did not start; its last words are above"
  }
else
  left=300
  while [ -z "$primary" ]; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || die "${best:-no other member} has not started the cluster"
    sleep 1
    primary=$(primary_among_peers "$port" $peers)
  done
  guard_data "$primary"
  systemctl stop mariadb
  rm -f "$DATA/gvwstate.dat"
  start_server
fi
wait_synced "$join"
