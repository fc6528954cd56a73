#!/bin/sh
set -eu
{
  echo "search $(crowbar-get resolver.search)"
  for server in $(crowbar-get resolver.servers); do echo "nameserver $server"; done
} >/etc/resolv.conf.new
mv /etc/resolv.conf.new /etc/resolv.conf
