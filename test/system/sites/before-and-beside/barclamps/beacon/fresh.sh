#!/bin/sh
echo fresh >> /etc/fresh
