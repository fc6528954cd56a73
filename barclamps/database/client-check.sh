#!/bin/sh
# One member at least answers and belongs to the cluster.
set -eu
. ./galera.sh
for endpoint in $(crowbar-get wants.endpoints); do
  [ -z "$(primary_among_peers "${endpoint##*:}" "${endpoint%:*}")" ] || exit 0
done
die "no member of the cluster answers: $(crowbar-get wants.endpoints | paste -sd' ')"
