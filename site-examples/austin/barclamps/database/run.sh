#!/bin/sh
set -eu
install -d /etc/database
(umask 077 && crowbar-get wants.password >/etc/database/root)
{
  echo "port=$(crowbar-get database.port)"
  echo "address=$(crowbar-get database.address)"
  echo "seed=$(crowbar-get wants.seed)"
  crowbar-get wants.peers
} >/etc/database/members
