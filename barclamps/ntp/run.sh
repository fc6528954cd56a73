#!/bin/sh
# Both roles. A server is told from a client by its address among those of the servers.
set -eu
. "$CROWBAR_CONTENT/libraries/shell-library/shell.sh"
. "$CROWBAR_CONTENT/role.sh"
begin_role "$role"
own_packages chrony

poll="minpoll $(crowbar-get ntp.minPoll) maxpoll $(crowbar-get ntp.maxPoll)"
elsewhere=$(crowbar-get ntp.servers)
ours=
if crowbar-get --has wants.servers; then ours=$(crowbar-get wants.servers); fi
[ "$role" = ntp-server ] || [ -n "$elsewhere$ours" ] || fail "no time servers: bind ntp-server in a deployment that comes before, or set ntp.servers"

# What other servers are asked: a client asks ours where there are any.
: > "$draft"
own=$(own_addresses)
for server in $ours; do
  printf '%s\n' "$own" | grep -qxF -- "$server" || echo "server $server iburst $poll" >> "$draft"
done
if [ "$role" = ntp-server ] || [ -z "$ours" ]; then
  for server in $elsewhere; do echo "server $server iburst $poll" >> "$draft"; done
fi
effect=reload
put_file /etc/chrony/sources.d/crowbar.sources 0644

effect=restart
{
  echo "# Written by Crowbar. Servers stand in sources.d, what you add in conf.d."
  echo "confdir /etc/chrony/conf.d"
  echo "sourcedir /etc/chrony/sources.d"
  echo "keyfile /etc/chrony/chrony.keys"
  echo "driftfile /var/lib/chrony/chrony.drift"
  echo "ntsdumpdir /var/lib/chrony"
  echo "logdir /var/log/chrony"
  echo "maxupdateskew 100.0"
  echo "rtcsync"
  echo "makestep 1 3"
  if [ "$role" = ntp-server ]; then
    for network in $(crowbar-get ntp.allow); do echo "allow $network"; done
    echo "local stratum $(crowbar-get ntp.localStratum) orphan"
  fi
} > "$draft"
put_file /etc/chrony/chrony.conf 0644 chronyd -p -f

# The clock of a container is its host's: there chronyd measures and answers, and sets nothing.
if systemd-detect-virt --quiet --container; then
  printf '[Unit]\nConditionCapability=\n' > "$draft"
  put_file /etc/systemd/system/chrony.service.d/crowbar.conf 0644
  echo 'DAEMON_OPTS="-F 1 -x"' > "$draft"
  put_file /etc/default/chrony 0644
fi

if ! changed restart && changed reload && systemctl is-active --quiet chrony.service; then
  chronyc -n reload sources
  say "chrony.service: sources are read again"
  rm -f "$notes/changed/reload"
  note_change nothing
fi
run_service chrony.service
end_role
