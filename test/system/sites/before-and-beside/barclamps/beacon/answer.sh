#!/bin/sh
crowbar-get wants.at > /var/lib/beacon/answer
