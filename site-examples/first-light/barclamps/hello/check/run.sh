#!/bin/sh
# A wrong or missing token fails here, as it would for a real client.
set -eu
. /etc/hello/client.conf
seen=$(curl --fail --silent --show-error --max-time 20 --retry 5 --retry-connrefused "$(crowbar-get wants.url)$token/greeting")
echo "the server says: $seen"
crowbar-provide seen "$seen"
