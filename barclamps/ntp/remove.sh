#!/bin/sh
set -eu
. "$CROWBAR_CONTENT/libraries/shell-library/shell.sh"
. "$CROWBAR_CONTENT/role.sh"
begin_role "$role"
undo_role
