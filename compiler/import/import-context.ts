import type { Report } from '../../schemas/diagnostic.ts'
import type { Fields } from './fields.ts'

/** What an import is done with. */
export interface ImportContext {
  readonly fields: Fields
  readonly report: Report
  /** Takes a sentence about the documents that no value of the input has to do with. */
  readonly remark: (sentence: string) => void
  /** The network that addresses of hosts are on; undefined: they become labels, or stay where they are. */
  readonly network: string | undefined
}
