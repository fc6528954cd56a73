import { isDeferred } from '../../schemas/deferred.ts'
import { own } from '../../schemas/own.ts'
import type { Json } from '../../schemas/shape.ts'
import type { AllocatedSite } from '../allocate/allocated-site.ts'
import { subnetOf } from '../allocate/subnet-of.ts'
import type { BoundRole } from '../bind/bound-site.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import { parseAddress } from '../resolve/address.ts'
import type { Address } from '../resolve/address.ts'
import { FAILED } from './deferred-value.ts'
import type { Evaluation } from './evaluation.ts'

/** A role that provides a value of this name is the site's dns service. */
const PROVIDE = 'dns'

/**
 * Whom subnets ask that name no servers of their own: what bound and external roles provide as `dns`, an address or a
 * list of them, in the order of deployments, roles and members; once each.
 */
export function findNameServers(evaluation: Evaluation): readonly string[] {
  const found = new Set<string>()
  for (const role of evaluation.allocated.bound.roles.values()) {
    const declaration = own(role.role.declaration.provides, PROVIDE)
    if (declaration === undefined || (role.members.length === 0 && role.external === null)) continue
    const { source } = role.role.barclamp.document
    const pointer = ['roles', role.role.name, 'provides', PROVIDE]
    if (declaration.value === undefined) {
      evaluation.report(error('VALUE_INVALID', rangeOf(source, pointer), `${PROVIDE} of ${role.role.name} is known only once a step has run, and networks need to know their name servers before.`, { fix: 'Give the provide a `value`, or call it something else.' }))
      continue
    }
    for (const value of providedBy(evaluation, role)) {
      if (typeof value === 'string' && parseAddress(value) !== undefined) found.add(value)
      else if (value !== FAILED) evaluation.report(error('ADDRESS_INVALID', rangeOf(source, [...pointer, 'value']), `${PROVIDE} of ${role.role.name} gives ${said(value)}, and name servers are IP addresses.`, { fix: 'Give an address, or a list of them; or call the provide something else.' }))
    }
  }
  return [...found]
}

function said(value: Json): string {
  return isDeferred(value) ? 'what is not known yet' : JSON.stringify(value)
}

function providedBy(evaluation: Evaluation, role: BoundRole): readonly Json[] {
  const from = role.external?.map((external) => ({ external })) ?? role.members
  return from.flatMap((each) => evaluation.provide(role, PROVIDE, each))
}

/** The site with the name servers in those attachments whose subnet does not name any. */
export function withNameServers(allocated: AllocatedSite, servers: readonly string[]): AllocatedSite {
  const { networks } = allocated.bound.resolved
  const asking = new Map([...networks].filter(([, { subnets }]) => subnets.some(({ dns }) => dns === null)))
  if (servers.length === 0 || asking.size === 0) return allocated
  const attachments = new Map([...allocated.attachments].map(([node, list]) => [node, list.map((attachment) => {
    const network = asking.get(attachment.network)
    if (network === undefined) return attachment
    return { ...attachment, addresses: attachment.addresses.map((each) => (subnetOf(network, parseAddress(each.address) as Address)?.dns === null ? { ...each, dns: servers } : each)) }
  })]))
  return { ...allocated, attachments }
}
