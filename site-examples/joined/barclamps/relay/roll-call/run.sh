#!/bin/bash
# A member that does not answer, or another token than the one that was made, fails here.
set -eu
role=roll-call
. ./count.sh
[ "$(crowbar-get wants.made)" = "$(crowbar-get wants.kept)" ] || { echo 'the token that was kept is not the one that was made'; exit 1; }
reached=0
for address in $(crowbar-get wants.peers); do
  # Nothing listens on this port, and only a machine that is there says so.
  said=$(LC_ALL=C timeout 10 bash -c "exec 3<>/dev/tcp/$address/9" 2>&1) || true
  case $said in *refused*) reached=$((reached + 1)) ;; *) echo "$address does not answer: $said"; exit 1 ;; esac
done
crowbar-provide reached --json "$reached"
