#!/bin/bash
# Nothing listens on this port, and only a machine that has the address says so.
set -u
address=$(crowbar-get wants.address)
said=$(LC_ALL=C timeout 10 bash -c "exec 3<>/dev/tcp/$address/9" 2>&1)
case $said in
  *refused*) crowbar-provide reached --json true ;;
  *) echo "$address does not answer: $said"; exit 1 ;;
esac
