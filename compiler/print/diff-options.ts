/** How changes are printed, beyond what they and the plan say. */
export interface DiffOptions {
  /** Everything, however long. */
  readonly full?: boolean
  /** With the colours of a terminal. */
  readonly color?: boolean
  /** Machine id → words for people ("4XK2F13, PowerEdge R650"), and when its disks were last seen (RFC 3339, UTC). */
  readonly machines?: { readonly [id: string]: { readonly label?: string; readonly seen?: string } }
}
