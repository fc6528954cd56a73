#!/bin/sh
# The token is made once and survives every later run.
set -eu
role=token-maker
. ./count.sh
if [ ! -s /var/lib/relay/token ]; then
  (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >/var/lib/relay/token.new)
  mv /var/lib/relay/token.new /var/lib/relay/token
fi
crowbar-provide token "$(cat /var/lib/relay/token)"
crowbar-provide digest "$(sha256sum </var/lib/relay/token | cut -c1-16)"
