#!/bin/sh
set -eu
node=$(crowbar-get crowbar.node.name)
! crowbar-get shop.sick | grep -qx "$node"
