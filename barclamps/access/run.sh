#!/bin/sh
# All is looked at before anything is changed; who gains comes before who loses.
set -eu
. "$CROWBAR_CONTENT/libraries/shell-library/shell.sh"
. "$CROWBAR_CONTENT/accounts.sh"
begin_role access
own_packages openssh-server sudo
effect=reload

users=$(crowbar-get access.users)
for user in $users; do check_user "$user"; done
grep -Eqi '^[[:space:]]*Include[[:space:]]+/etc/ssh/sshd_config.d/' /etc/ssh/sshd_config || fail "/etc/ssh/sshd_config does not include /etc/ssh/sshd_config.d/*.conf, where keys would be named"

# Nobody is locked out: who could administer the node now may go only when somebody can afterwards.
before=$(administrators_now)
after=$(administrators_then)
if [ -n "$before" ] && [ -z "$after" ]; then
  fail "nobody could administer the node any more (now: $(echo $before)): give an account a key or a password, and sudo, or root a key"
fi
[ -e "$notes/before" ] || printf '%s\n' "$before" > "$notes/before"

for user in $users; do keep_account "$user"; done
for user in $users; do
  keys=$(value "$user" keys)
  printf '%s' "${keys:+$keys
}" > "$draft"
  put_file "/etc/ssh/crowbar-keys/$user" 0644
done

{
  echo "# Written by Crowbar."
  for user in $users; do
    [ "$(value "$user" locked)" != true ] || continue
    case $(value "$user" sudo) in
      password) echo "$user ALL=(ALL:ALL) ALL" ;;
      free) echo "$user ALL=(ALL:ALL) NOPASSWD: ALL" ;;
    esac
    commands=$(value "$user" commands)
    [ -z "$commands" ] || printf '%s\n' "$commands" | while read -r command; do
      case $command in *\ *) ;; *) command="$command \"\"" ;; esac
      echo "$user ALL=(root) NOPASSWD: $command"
    done
  done
} > "$draft"
effect=nothing
put_file /etc/sudoers.d/crowbar-access 0440 visudo -cqf

effect=reload
# Keys that were looked for elsewhere go on to count.
mkdir -p /run/sshd
if [ ! -e "$notes/keys" ]; then
  sshd -T | sed -n 's/^authorizedkeysfile //p' > "$notes/keys.part"
  [ -s "$notes/keys.part" ] || fail "sshd does not say where it looks for keys"
  mv "$notes/keys.part" "$notes/keys"
fi
{
  echo "# Written by Crowbar."
  echo "AuthorizedKeysFile $(sed 's/^none$//' "$notes/keys") /etc/ssh/crowbar-keys/%u"
  case $(crowbar-get access.rootLogin) in keys) echo "PermitRootLogin prohibit-password" ;; no) echo "PermitRootLogin no" ;; esac
  case $(crowbar-get access.passwordLogin) in true) echo "PasswordAuthentication yes" ;; false) echo "PasswordAuthentication no"; echo "KbdInteractiveAuthentication no" ;; esac
} > "$draft"
put_file /etc/ssh/sshd_config.d/10-crowbar.conf 0644 sshd -t -f
run_service ssh.service

for user in $(accounts_kept); do
  printf '%s\n' "$users" | grep -qxF -- "$user" || forget_account "$user"
done
end_role
