#!/bin/sh
# What was collected stays: it is the site's, and other people's.
set -eu
. "$CROWBAR_CONTENT/libraries/shell-library/shell.sh"
. "$CROWBAR_CONTENT/role.sh"
begin_role "$role"
rm -rf /var/spool/rsyslog-crowbar
undo_role
