import type { JigName } from './documents/barclamp.ts'
import { own } from './own.ts'

/**
 * Distribution packages that a configuration tool comes in: jig → `<family>-<version>` or family → packages. A jig that is
 * not here needs none, or there are none and the role has to bring its tool itself.
 */
const JIG_PACKAGES: { readonly [jig in JigName]?: { readonly [system: string]: readonly string[] } } = {
  ansible: { 'debian-11': ['ansible'], debian: ['ansible-core'] },
  puppet: { 'debian-11': ['puppet'], debian: ['puppet-agent'] },
  cfengine: { debian: ['cfengine3'] },
}

/** The packages that a jig needs on an operating system, beside those of the role. */
export function jigPackages(jig: JigName, os: { readonly family: string; readonly version: string }): readonly string[] {
  const systems = own(JIG_PACKAGES, jig)
  return systems === undefined ? [] : own(systems, `${os.family}-${os.version}`) ?? own(systems, os.family) ?? []
}
