#!/bin/sh
echo "$CROWBAR_STEP" > /etc/ground
