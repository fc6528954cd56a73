#!/bin/sh
systemctl disable --quiet --now shop
rm -rf /etc/shop /etc/systemd/system/shop.service /usr/local/sbin/shop-orders
