#!/bin/sh
# User-data may be a script: it is run once, as root, after the platform's keys and hostname are in place, by
# the interpreter that its first line names. Its exit status is the hand-off's.
set -eu
mkdir -p /srv/www
echo "This is $(hostname), reached at $private_ipv4." >/srv/www/index.html
