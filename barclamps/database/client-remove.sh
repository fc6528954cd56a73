#!/bin/sh
rm -rf /etc/crowbar-database
