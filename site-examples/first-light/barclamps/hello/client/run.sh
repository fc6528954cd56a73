#!/bin/sh
set -eu
install -d -m 0700 /etc/hello
(umask 077 && {
  printf 'address=%s\n' "$(crowbar-get wants.address)"
  printf 'port=%s\n' "$(crowbar-get wants.port)"
  printf 'token=%s\n' "$(crowbar-get wants.token)"
} >/etc/hello/client.conf)
