#!/bin/sh
set -eu
install -d -m 1777 "$(crowbar-get scratch.folder)"
crowbar-get --json scratch >/etc/scratch.json
