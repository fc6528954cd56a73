import type { Report } from '../../schemas/diagnostic.ts'
import type { SourceDocument as SourceSpec } from '../../schemas/documents/rule.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import type { Located } from '../validate/site.ts'

/** Holds upstreams against the type of their source. */
export function checkUpstreams(sources: ReadonlyMap<string, Located<SourceSpec>>, report: Report): void {
  for (const { value: { name, type, upstream }, source } of sources.values()) {
    if (upstream === 'system') {
      if (type !== 'apt') report(error('VALUE_INVALID', rangeOf(source, ['upstream']), `\`system\` is what apt of the admin node is configured to use, and ${name} is of type ${type}.`, { fix: 'Write the URL of the upstream.' }))
      continue
    }
    for (const [i, url] of (typeof upstream === 'string' ? [upstream] : upstream).entries()) {
      const protocol = /^(git|ssh):/.exec(url)?.[1]
      if (type !== 'git' && protocol !== undefined) report(error('VALUE_INVALID', rangeOf(source, typeof upstream === 'string' ? ['upstream'] : ['upstream', i]), `${name} is of type ${type}, and nothing but git is had by ${protocol}.`, { fix: 'Write an address that begins with https://, http:// or file://.' }))
    }
  }
}
