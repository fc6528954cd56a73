/**
 * Every diagnostic that the compiler can give, alphabetical, with the sentence that `crowbar explain CODE` begins with.
 * A code never changes its meaning and is never given to something else.
 */
export const CODES = {
  ADDRESS_CONFLICT: 'Two nodes, or a node and a virtual address, ask for the same address on one network.',
  ADDRESS_INVALID: 'Something that should be an IP address, a subnet or a range of addresses is none.',
  ADDRESS_OUTSIDE_RANGE: 'An address does not lie in the range, or in the subnet, that it is to be taken from.',
  CLAIM_AMBIGUOUS: 'Two nodes are able to claim the same machine, so which one gets it would be an accident.',
  CLAIM_UNBOUNDED: 'A node does not say which machine it may claim; without a pin, tags or a condition it would take any.',
  CYCLE: 'Steps need each other in a circle, so none of them can be first.',
  DUPLICATE_DOCUMENT: 'Two documents of the same kind have the same name.',
  DUPLICATE_KEY: 'A mapping has the same key twice; YAML forbids it, and one of the two would be lost.',
  FILE_TOO_LARGE: 'A document is larger than 8 MiB, which no hand-written one is; it is not read.',
  KIND_MISSING: 'A document has no `kind`, so nothing says what it is.',
  KIND_UNKNOWN: 'The `kind` of a document is none that Crowbar knows.',
  LOCK_CONFLICT: 'The lock claims one thing twice or holds the marks of an unfinished merge; it is never repaired silently.',
  LOCK_STALE: 'The lock is not the one that this site leads to, and --frozen forbids changing it.',
  MAC_CONFLICT: 'Two nodes pin a machine by the same MAC address, serial, UUID or asset tag.',
  NOT_A_SITE: 'There is no document of kind site, so the folder is not a site repository.',
  REFERENCE_UNKNOWN: 'A document names another one that does not exist.',
  SITE_DUPLICATE: 'There are two documents of kind site; a repository has exactly one.',
  VALUE_INVALID: 'A value is not one that the field allows.',
  YAML_SYNTAX: 'The file is not YAML 1.2.',
} as const satisfies Readonly<Record<string, string>>

/** The name of a diagnostic: stable, and what tests and suppressions go by. */
export type Code = keyof typeof CODES
