# For `.`: which of the two roles this is.
role=$(crowbar-get crowbar.role.name)
