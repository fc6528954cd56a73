#!/bin/sh
rm -f /var/lib/beacon/word
