#!/bin/sh
set -eu
install -d -m 0700 /etc/store
(umask 077 && printf 'port=%s\nseed=%s\nkey=%s\n' "$(crowbar-get store.port)" "$(crowbar-get wants.seed)" "$(crowbar-get wants.key)" >/etc/store/store.conf)
