#!/bin/sh
# Writes down the passwords that let one in.
set -eu
umask 077
mkdir -p /var/lib/database
{
  crowbar-get wants.password.value
  echo
  if crowbar-get --has wants.password.previous; then
    crowbar-get wants.password.previous
    echo
  fi
} > /var/lib/database/accepted
