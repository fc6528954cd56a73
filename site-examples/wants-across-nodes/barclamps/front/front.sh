#!/bin/sh
# Fails unless everything arrived that was wanted.
set -eu
[ "$(crowbar-get front.servers | wc -l)" -ge 2 ]
[ "$(crowbar-get front.login)" = "wants:$(crowbar-get wants.key)" ]
[ "$(crowbar-get front.strong)" = true ]
if crowbar-get --has wants.metrics; then echo 'nobody provides metrics here'; exit 1; fi
(umask 077 && crowbar-get --json front >/etc/front.json)
