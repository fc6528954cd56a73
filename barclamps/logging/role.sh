# For `.`: which of the two roles this is.
case $(crowbar-get crowbar.step) in */logging-collector@* | */logging-collector/*) role=logging-collector ;; *) role=logging-sender ;; esac
