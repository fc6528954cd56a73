#!/bin/sh
# Every account is there, sudo can be read, and ssh takes connections.
set -eu
for user in $(crowbar-get access.users); do
  getent passwd "$user" >/dev/null || { echo "there is no account $user" >&2; exit 1; }
done
visudo -cq || { echo "the rules of sudo cannot be read" >&2; exit 1; }
mkdir -p /run/sshd
sshd -t
systemctl is-active --quiet ssh.service || systemctl is-active --quiet ssh.socket || { echo "ssh.service does not run" >&2; exit 1; }
