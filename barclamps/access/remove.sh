#!/bin/sh
# Accounts that the role made go, their homes stay; the others become what they were.
set -eu
. "$CROWBAR_CONTENT/libraries/shell-library/shell.sh"
. "$CROWBAR_CONTENT/accounts.sh"
begin_role access
effect=reload
users=
before=
for user in $(administrators_now); do
  [ "$user" != root ] && [ -e "$notes/accounts/$user" ] && [ "$(head -n 1 "$notes/accounts/$user")" = new ] || before="$before $user"
done
if [ -n "$(cat "$notes/before" 2>/dev/null || :)" ] && [ -z "$before" ]; then
  fail "nobody could administer the node any more, and before this role somebody could: give root a key, or an account that is not the role's a key and sudo"
fi
for user in $(accounts_kept); do forget_account "$user"; done
undo_role
