# Sourced by every script here: a line in a file for each time that $role ran.
install -d -m 0700 /var/lib/relay
echo "$role" >>/var/lib/relay/runs
sleep "$(crowbar-get relay.seconds)"
