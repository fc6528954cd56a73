import type { Engine } from '../engine/engine.ts'
import type { EventStore } from '../log/store.ts'
import { heldBack } from '../reconcile/carry-on.ts'
import type { ProxyState } from '../proxy/metrics.ts'
import type { SiteKeeper } from '../reconcile/keep-site.ts'
import type { LiveLedger } from '../state/open-ledger.ts'
import { runsAnother } from '../state/standing-installation.ts'
import { apply, BY } from './apply.ts'
import type { ApplyTools } from './apply.ts'
import { approve } from './approve.ts'
import { printable } from './printable.ts'
import { listRuns } from './runs.ts'
import type { ControlOperations } from './serve-control.ts'
import { describeStatus } from './status.ts'
import { whyNot } from './why-not.ts'

export interface OperationsOptions {
  readonly agent: { readonly node: string; readonly version: string }
  readonly site: { readonly repository: string; readonly branch: string }
  readonly store: EventStore
  readonly ledger: LiveLedger
  readonly engine: Engine
  readonly keeper: SiteKeeper
  readonly refusalOf: ApplyTools['refusalOf']
  readonly dryRun: ApplyTools['dryRun']
  /** Null when machines can boot; else what is still missing. */
  readonly notReady: () => string | null
  /** Lets a machine out of quarantine, and looks at it again. */
  readonly admit: (machine: string, by: string) => Promise<void>
  /** `agent.json` for a machine that is installed already and is to be this node. */
  readonly joining: (node: string) => unknown
  readonly proxy: () => ProxyState
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly signal: AbortSignal
}

class NoSuchStep extends Error {
  readonly code = 'NO_SUCH_STEP'
}

const PAGE = 1000

/** What the control API does, over the parts of the agent. */
export function operations(options: OperationsOptions): ControlOperations {
  const { engine, keeper, store } = options
  return {
    status: () => {
      const notReady = options.notReady()
      const newest = keeper.current
      const hold = heldBack(newest, engine.state.run)
      return Promise.resolve(printable(describeStatus({
        agent: { ...options.agent, ready: notReady === null, readyReason: notReady },
        site: options.site,
        state: engine.state,
        ledger: options.ledger.current,
        plan: keeper.current?.plan ?? null,
        held: newest === null || hold === null ? null : { commit: newest.commit, ...hold },
        changes: engine.work?.changes ?? null,
        schedule: engine.schedule ?? null,
        now: options.now(),
      })))
    },
    apply: async request => printable(await apply(request, options)),
    runs: () => listRuns(store),
    whyNot(step) {
      const found = whyNot(step, { state: engine.state, ledger: options.ledger.current, work: engine.work, schedule: engine.schedule, plan: keeper.current?.plan ?? null })
      if (found.answer !== null) return Promise.resolve(printable(found.answer))
      return Promise.reject(new NoSuchStep(`no step is called ${JSON.stringify(step)}${found.near === undefined ? '' : `; did you mean ${found.near}?`}`))
    },
    approve: request => approve(request, { work: engine.work ?? keeper.current, engine, store, by: BY }),
    freeze: frozen => (frozen ? engine.freeze({ by: BY, reason: 'asked for' }) : engine.thaw({ by: BY })),
    async admit(machine) {
      const record = engine.state.machines.get(machine)
      if (record === undefined) return `no machine ${machine} was ever seen; what was: ${[...engine.state.machines.keys()].join(', ') || 'none'}`
      const node = Object.entries(keeper.current?.plan.nodes ?? {}).find(([, planned]) => planned.machine === machine)?.[0]
      const isStale = node !== undefined && runsAnother(machine, node, { state: engine.state, ledger: options.ledger.current })
      if (record.quarantined === null && !isStale) return `machine ${machine} is not in quarantine`
      await options.admit(machine, BY)
      return `machine ${machine} is admitted`
    },
    cancel: () => engine.cancel({ by: BY }),
    join: node => Promise.resolve(options.joining(node)),
    proxy: () => Promise.resolve(printable(options.proxy())),
    sequence: () => Promise.resolve(store.last),
    async *events({ after, follow, signal }) {
      if (follow) {
        yield* store.follow({ after, signal })
        return
      }
      for (let last = after; ;) {
        const page = await store.read({ after: last, limit: PAGE })
        yield* page
        const end = page.at(-1)
        if (end === undefined || page.length < PAGE) return
        last = end.seq
      }
    },
    async *output({ step }) {
      for (const attempt of await attemptsOf(step, store)) {
        for (let after = 0; ;) {
          const page = await store.outputs({ attempt, after, limit: PAGE })
          yield* page
          const end = page.at(-1)
          if (end === undefined || page.length < PAGE) break
          after = end.id
        }
      }
    },
    document: name => Promise.resolve((name === 'plan' ? keeper.current?.plan : (engine.work?.changes ?? keeper.current?.changes)) ?? null),
  }
}

async function attemptsOf(step: string | null, store: EventStore): Promise<string[]> {
  const attempts: string[] = []
  for (let after = 0; ;) {
    const page = await store.read({ after, type: 'step.sent', limit: PAGE })
    for (const event of page) if (event.type === 'step.sent' && (step === null || event.data.step === step)) attempts.push(event.data.attempt)
    const end = page.at(-1)
    if (end === undefined || page.length < PAGE) return attempts
    after = end.seq
  }
}
