#!/bin/sh
set -eu
. "$CROWBAR_CONTENT/libraries/shell-library/shell.sh"
begin_role memcached
own_packages memcached

connections=$(crowbar-get memcached.connections)
{
  echo "# Written by Crowbar."
  echo "-u memcache"
  echo "-P /var/run/memcached/memcached.pid"
  echo "logfile /var/log/memcached.log"
  echo "-p $(crowbar-get memcached.port)"
  echo "-U 0"
  echo "-l $(crowbar-get memcached.listen | sort -u | paste -sd, -)"
  echo "-m $(crowbar-get memcached.memoryMiB)"
  echo "-c $connections"
  echo "-t $(crowbar-get memcached.threads)"
  echo "-I $(crowbar-get memcached.maxItemKiB)k"
} > "$draft"
put_file /etc/memcached.conf 0644

# A file for each connection, and some for itself.
printf '[Service]\nLimitNOFILE=%s\n' "$((connections + 64))" > "$draft"
put_file /etc/systemd/system/memcached.service.d/crowbar.conf 0644
run_service memcached.service
end_role
