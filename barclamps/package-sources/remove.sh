#!/bin/sh
set -eu
. "$CROWBAR_CONTENT/libraries/shell-library/shell.sh"
begin_role package-sources
undo_role
