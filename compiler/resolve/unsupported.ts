import type { Report } from '../../schemas/diagnostic.ts'
import { own } from '../../schemas/own.ts'
import { error, warning } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import { rangeOfField } from '../validate/site.ts'
import type { Site } from '../validate/site.ts'

/**
 * Says of everything in a site that this version reads and does not act on that it does not. What would leave work
 * undone that was asked for is an error; what only changes how it is done is a warning.
 */
export function reportUnsupported(site: Site, report: Report): void {
  for (const { value, source } of site.agents.values()) {
    if (value.limits?.bmc !== undefined) report(warning('UNSUPPORTED', rangeOf(source, ['limits', 'bmc'], 'key'), 'No agent of this version talks to a BMC, so there is nothing that `limits.bmc` limits.', { fix: 'The field may stay.' }))
  }
  for (const { value, source } of site.hardware.values()) {
    if (value.firmware !== undefined) report(warning('UNSUPPORTED', rangeOf(source, ['firmware'], 'key'), `No agent of this version changes firmware settings: ${Object.keys(value.firmware).join(', ')} stay as each machine has them.`, { fix: 'Set them by hand, or in a role with the flag `discovery`, which runs before the installation.' }))
    for (const [i, { on }] of (value.layout ?? []).entries()) {
      if (own(value.disks, on)?.onInstall === 'keep') report(error('VALUE_INVALID', rangeOf(source, ['layout', i, 'on']), `A filesystem is to be made on ${on}, which an install keeps as it is.`, { related: [{ message: 'it is kept', range: rangeOf(source, ['disks', on, 'onInstall']) }], fix: 'Take the line out of the layout, or say `onInstall: wipe`.' }))
    }
  }
  const seen = new Set<object>()
  for (const node of site.nodes.values()) {
    if (node.value.bmc === undefined || seen.has(node.value.bmc)) continue
    seen.add(node.value.bmc)
    report(warning('UNSUPPORTED', rangeOfField(node, ['bmc'], 'key'), `No agent of this version talks to a BMC: this one (${node.value.bmc.type}) is in no plan, and its machine is switched on and off by hand.`, { fix: 'Switch it on when `crowbar status` waits for it; the field may stay.' }))
  }
}
