#!/bin/sh
# What was collected stays: it is the site's, and other people's.
set -eu
. "$CROWBAR_CONTENT/libraries/shell-library/shell.sh"
. "$CROWBAR_CONTENT/role.sh"
begin_role "$role"
undo_role
# What no collector got goes with the role; while rsyslog runs it would miss the folder.
if [ "$role" = logging-sender ]; then rm -rf /var/spool/rsyslog-crowbar; fi
