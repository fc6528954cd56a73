#!/bin/sh
set -eu
for server in $(crowbar-get ntp.servers); do
  echo "pool $server iburst"
done >/etc/chrony/sources.d/crowbar.sources
systemctl restart chrony
