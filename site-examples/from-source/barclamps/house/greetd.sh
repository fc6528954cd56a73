#!/bin/sh
set -eu
printf 'says: "%s"\n' "$(crowbar-get wants.says)" > /etc/greetd.yaml
cat > /etc/systemd/system/greetd.service <<UNIT
[Service]
ExecStart=/usr/bin/greetd /etc/greetd.yaml
DynamicUser=yes
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --quiet greetd
systemctl restart greetd
# It is up when it answers.
for _ in 1 2 3 4 5 6 7 8 9 10; do
  if python3 -c 'import urllib.request; print(urllib.request.urlopen("http://127.0.0.1:8080/").read().decode())'; then exit 0; fi
  sleep 1
done
exit 1
