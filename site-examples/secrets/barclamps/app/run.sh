#!/bin/sh
# Writes its settings where only root can read them.
set -eu
umask 077
printf 'DATABASE_URL=%s\nMAIL_KEY=%s\n' "$(crowbar-get wants.database)" "$(crowbar-get app.mailKey)" > /etc/app.env
