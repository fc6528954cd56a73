#!/bin/sh
# The founder has the virtual address; a real site would leave that to keepalived or the like.
set -eu
crowbar-get wants.database >/etc/api.database
[ "$(crowbar-get crowbar.role.founder)" = "$(crowbar-get crowbar.node.name)" ] || exit 0
own=$(crowbar-get crowbar.node.addresses.admin)
device=$(ip -o -4 address show | awk -v own="$own/" 'index($4, own) == 1 { print $2 }')
ip address replace "$(crowbar-get api.address)/32" dev "$device"
