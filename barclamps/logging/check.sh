#!/bin/sh
# A collector listens; a sender's connection stands.
set -eu
. "$CROWBAR_CONTENT/role.sh"
port=$(crowbar-get logging.port)
systemctl is-active --quiet rsyslog.service || { echo "rsyslog.service does not run" >&2; exit 1; }
if [ "$role" = logging-collector ]; then
  ss -Hltn "sport = :$port" | grep -q . || { echo "nothing listens at port $port" >&2; exit 1; }
else
  logger -p user.info -t crowbar-check "check of $(crowbar-get crowbar.node.name)"
  for collector in $(crowbar-get wants.collectors); do
    tries=0
    until ss -Htn state established "dst [$collector]:$port" | grep -q .; do
      tries=$((tries + 1))
      [ "$tries" -lt 20 ] || { echo "no connection to $collector at port $port" >&2; exit 1; }
      sleep 1
    done
  done
fi
