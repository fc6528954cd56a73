import type { FlightOrder } from './flight.ts'
import type { Content } from './send.ts'

/** What a path stands for: content, and how it is had when the store lacks it. */
export interface Found {
  readonly content: Content
  readonly order: FlightOrder
  /** It was had from an upstream just now. */
  readonly isNew?: boolean
  /** Has to be called when the object is in the store and was sent. */
  readonly had?: () => void
}
