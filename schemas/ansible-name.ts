/** What Ansible sets itself whatever an inventory says, or cannot name in a template. Of 2.10 to 2.19. */
const TAKEN: ReadonlySet<string> = new Set([
  'environment', 'group_names', 'groups', 'hostvars', 'inventory_dir', 'inventory_file', 'inventory_hostname', 'inventory_hostname_short', 'omit', 'play_hosts', 'playbook_dir', 'role_name', 'role_names', 'role_path', 'vars',
  'and', 'else', 'false', 'if', 'in', 'is', 'none', 'not', 'or', 'true', 'self',
])

/**
 * Why a barclamp of this name cannot have a variable of Ansible for its attributes, as `it …`; undefined when it can.
 * Names that begin with `ansible_` say how Ansible reaches a host.
 */
export function ansibleProblem(name: string): string | undefined {
  const word = name.replaceAll('-', '_')
  return TAKEN.has(word) || word.startsWith('ansible_') ? `is a name that Ansible has a meaning of its own for (${word})` : undefined
}
