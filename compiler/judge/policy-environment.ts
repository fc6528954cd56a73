import type { Bindings } from '../../schemas/cel/frame.ts'
import type { Environment } from '../../schemas/cel/environment.ts'
import type { CelType } from '../../schemas/cel/type.ts'
import type { Changes } from '../../schemas/changes.ts'
import type { Plan } from '../../schemas/plan.ts'
import { actionOf, operationOf } from '../change/operations.ts'
import { refusalOf } from '../../schemas/refusal.ts'

const TEXTS: CelType = { list: 'string' }
const BY_NAME: CelType = { map: ['string', 'string'] }

const DISK: CelType = { object: 'disk', fields: { id: 'string', serial: 'string', model: 'string', bytes: 'int', fate: 'string', blank: 'bool', summary: 'string' } }
const CHANGE: CelType = {
  object: 'change',
  fields: {
    step: 'string', kind: 'string', action: 'string', operation: 'string', node: 'string', deployment: 'string', role: 'string',
    consequence: 'string', certain: 'bool', needsApproval: 'bool', refused: 'bool', disks: { list: DISK },
  },
}
const NODE: CelType = {
  object: 'node',
  fields: { machine: 'string', admin: 'bool', os: 'string', hardware: 'string', tags: TEXTS, labels: BY_NAME, addresses: BY_NAME, protect: 'bool' },
}
const STEP: CelType = {
  object: 'step',
  fields: { id: 'string', kind: 'string', action: 'string', node: 'string', deployment: 'string', role: 'string', barclamp: 'string', jig: 'string', destructive: 'bool', packages: TEXTS, needs: TEXTS },
}
const ROLE: CelType = { object: 'role', fields: { barclamp: 'string', nodes: TEXTS, founder: 'string', cluster: 'bool' } }

/** What policies read. What is not there (the node of a staging step, the machine of a node that has none) is empty text. */
export const POLICY_ENVIRONMENT: Environment = {
  variables: {
    changes: { list: CHANGE },
    plan: {
      object: 'plan',
      fields: {
        complete: 'bool',
        site: { object: 'site', fields: { name: 'string', domain: 'string' } },
        nodes: { map: ['string', NODE] },
        /** By deployment/role. */
        roles: { map: ['string', ROLE] },
        steps: { list: STEP },
        missing: { list: { object: 'missing', fields: { what: 'string', for: 'string', because: 'string' } } },
      },
    },
  },
  functions: [],
}

/** A plan and what leads to it, as policies read them. */
export function policyBindings({ changes }: Changes, plan: Plan): Bindings {
  let steps: Bindings[] | undefined
  return {
    changes: changes.map((change) => {
      const { step, consequence, certain, needsApproval, disks } = change
      return {
        step: step.id, kind: step.kind, action: step.kind === 'operation' ? actionOf(step) : step.action, operation: operationOf(step) ?? '', node: step.node ?? '', deployment: step.deployment ?? '', role: step.role ?? '',
        consequence, certain, needsApproval, refused: refusalOf(change) !== null,
        disks: disks.map(({ id, serial, model, bytes, fate, blank, summary }) => ({ id, serial, model, bytes, fate, blank: blank === true, summary })),
      }
    }),
    plan: {
      complete: plan.complete,
      site: { name: plan.site.name, domain: plan.site.domain },
      nodes: Object.fromEntries(
        Object.entries(plan.nodes).map(([name, { machine, admin, os, hardware, tags, labels, addresses, protect }]) => [name, { machine: machine ?? '', admin, os: os ?? '', hardware: hardware ?? '', tags, labels, addresses, protect }]),
      ),
      roles: Object.fromEntries(Object.entries(plan.roles).map(([key, { barclamp, members, founder, cluster }]) => [key, { barclamp, nodes: members.map(({ node }) => node), founder: founder ?? '', cluster }])),
      missing: plan.missing,
      // Few policies ask, and a large site has a hundred thousand.
      get steps() {
        return (steps ??= plan.steps.map(({ id, kind, action, node, deployment, role, barclamp, jig, destructive, packages, needs }) => ({
          id, kind, action, node: node ?? '', deployment: deployment ?? '', role: role ?? '', barclamp: barclamp ?? '', jig: jig ?? '', destructive, packages, needs: needs.map(({ step }) => step),
        })))
      },
    },
  }
}
