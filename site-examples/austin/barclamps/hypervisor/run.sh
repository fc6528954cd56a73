#!/bin/sh
set -eu
install -d /etc/hypervisor
{
  echo "database=$(crowbar-get wants.database)"
  echo "threads=$(crowbar-get hypervisor.threads)"
  crowbar-get wants.stores
} >/etc/hypervisor/hypervisor.conf
