#!/bin/sh
set -eu
install -d /etc/database
{
  echo "port=$(crowbar-get database.port)"
  echo "address=$(crowbar-get database.address)"
  echo "seed=$(crowbar-get wants.seed)"
  crowbar-get wants.peers
} >/etc/database/members
