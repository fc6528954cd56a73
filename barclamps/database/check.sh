#!/bin/sh
# This member is synced, and all that ever joined and still belong to the cluster are there.
set -eu
. ./galera.sh
is_synced || die "not synced: $(status wsrep_local_state_comment) $(status wsrep_cluster_status)"
is_whole || die "$(status wsrep_cluster_size) of $(expected_size) members are there"
[ "$(cat "$STATE/started" 2>/dev/null)" = "$(sha256sum <"$SERVER_CNF")" ] || die "it runs with other settings than it is to have"
crowbar-provide uuid "$(status wsrep_cluster_state_uuid)"
