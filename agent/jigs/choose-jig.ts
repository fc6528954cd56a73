import type { JigName } from '../../schemas/documents/barclamp.ts'
import { own } from '../../schemas/own.ts'
import { ansibleJig } from './ansible.ts'
import { cfengineJig } from './cfengine.ts'
import { chefJig } from './chef.ts'
import { execJig } from './exec.ts'
import type { Jig } from './jig.ts'
import { noopJig } from './noop.ts'
import { puppetJig } from './puppet.ts'
import { saltJig } from './salt.ts'
import { scriptJig } from './script.ts'
import { testJig } from './test.ts'

const JIGS: { readonly [name in JigName]: Jig } = {
  ansible: ansibleJig, cfengine: cfengineJig, chef: chefJig, exec: execJig, noop: noopJig, puppet: puppetJig, salt: saltJig, script: scriptJig, test: testJig,
}

/** The jig of that name; undefined when this version has none. */
export function chooseJig(name: string): Jig | undefined {
  return own(JIGS, name)
}
