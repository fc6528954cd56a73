import { anyObject, integer, object, string } from './shape.ts'
import type { TypeOf } from './shape.ts'

/**
 * One line of the agent's append-only log. Types and their data are in agent/log/event-types.ts; `v` is the version of
 * a type's data, raised when its meaning changes, and old versions are up-cast when read.
 */
export const eventShape = object({
  seq: integer({ min: 1 }, 'Counts up by one, without gaps.'),
  time: string({}, 'RFC 3339, UTC, milliseconds.'),
  stream: string({}, 'What it is about: agent, site, run/<n>, node/<name>, machine/<id>, boot/<mac>.'),
  epoch: integer({ min: 0 }),
  type: string({ pattern: '^[a-z]+(\\.[a-z]+)+$' }),
  v: integer({ min: 1 }),
  data: anyObject(),
})
export type Event = TypeOf<typeof eventShape>
