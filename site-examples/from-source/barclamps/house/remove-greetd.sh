#!/bin/sh
set -eu
systemctl disable --quiet --now greetd
rm -f /etc/systemd/system/greetd.service /etc/greetd.yaml
systemctl daemon-reload
apt-get -qq -y purge greetd
