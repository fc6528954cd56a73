#!/bin/sh
# Names of the site are found: by the server itself, or in the way that programs of the node find them.
set -eu
. "$CROWBAR_CONTENT/role.sh"
name=$(crowbar-get crowbar.node.name).$(crowbar-get dns.domain)
if [ "$role" = dns-server ]; then
  systemctl is-active --quiet unbound.service || { echo "unbound.service does not run" >&2; exit 1; }
else
  getent ahosts "$name"
fi
