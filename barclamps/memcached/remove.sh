#!/bin/sh
set -eu
. "$CROWBAR_CONTENT/libraries/shell-library/shell.sh"
begin_role memcached
undo_role
