#!/bin/sh
set -eu
role=token-keeper
. ./count.sh
(umask 077 && crowbar-get wants.token >/var/lib/relay/kept)
crowbar-provide digest "$(sha256sum </var/lib/relay/kept | cut -c1-16)"
